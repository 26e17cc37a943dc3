"""Chat templates and what transformers renders with them. The templates are written for these tests, in the manner of released ones."""

from jinja2.exceptions import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are a helpful AI assistant "
    "named SmolLM, trained by Hugging Face<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' "
    "+ '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA2 = """{% if messages[0]['role'] == 'system' %}
  {%- set system = messages[0]['content'] %}
  {%- set rest = messages[1:] %}
{%- else %}
  {%- set system = false %}
  {%- set rest = messages %}
{%- endif %}
{%- for message in rest %}
  {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
    {{- raise_exception('Roles must alternate user/assistant/user/assistant/...') }}
  {%- endif %}
  {%- if loop.index0 == 0 and system != false %}
    {%- set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + message['content'] %}
  {%- else %}
    {%- set content = message['content'] %}
  {%- endif %}
  {%- if message['role'] == 'user' %}
    {{- bos_token + '[INST] ' + content | trim + ' [/INST]' }}
  {%- elif message['role'] == 'assistant' %}
    {{- ' ' + content | trim + ' ' + eos_token }}
  {%- endif %}
{%- endfor %}"""
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>
'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
MISTRAL = """{{ bos_token }}{% for message in messages %}{% if message['role'] not in ['user', 'assistant'] %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{{ '[INST] ' + message['content'] + ' [/INST]' if message['role'] == 'user' else message['content'] + eos_token + ' ' }}{% endfor %}"""
TOOLS = """{%- if tools is defined and tools %}
{{- 'tools: ' }}{% for tool in tools %}{{ tool.name }}{{ ', ' if not loop.last }}{% endfor %}
{%- else %}{{- 'no tools' }}{%- endif %}
{%- for m in messages %}
    {{- '|' ~ m.role ~ ':' ~ (m.content if m.content is string else m.content | map(attribute='text') | join('+')) }}
{%- endfor %}"""
LOOPS = """{%- macro say(m, n=1) -%}<{{ n }}:{{ m.role | upper }}>{{ m.content | replace('a', 'A') | trim }}{%- endmacro -%}
{%- set ns = namespace(count=0, last='') -%}
{%- for m in messages if m.role != 'system' -%}
{%- if m.content | length > 60 %}{% continue %}{% endif -%}
{%- set ns.count = ns.count + loop.index -%}{%- set ns.last = m.role -%}
{{ say(m, n=ns.count) }}{{ '  ' }}
{%- endfor -%}
{# a comment #}{{ '[' ~ ns.count ~ ns.last ~ ']' }}{{ messages[-1].content[::-1][:3] }}{{ messages | length if messages else 'none' }}"""

TEMPLATES = {"chatml": CHATML, "llama2": LLAMA2, "zephyr": ZEPHYR, "mistral": MISTRAL, "tools": TOOLS, "loops": LOOPS}
CONVERSATIONS = {
    "one": [{"role": "user", "content": "Hi there"}],
    "system": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "  What is a gate?\n"}],
    "turns": [
        {"role": "user", "content": "a ☃ <b>&amp;</b>"},
        {"role": "assistant", "content": "It's a 'quote' \"and\" \\n."},
        {"role": "user", "content": "x" * 70},
    ],
    "wrong": [{"role": "assistant", "content": "I begin."}],
}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


def rendered():
    found = []
    for name, template in TEMPLATES.items():
        for conversation, messages in CONVERSATIONS.items():
            for prompt in (False, True):
                entry = {"template": name, "conversation": conversation, "generationPrompt": prompt}
                try:
                    options = {"add_generation_prompt": prompt, **SPECIAL}
                    texts, _ = render_jinja_template(conversations=[messages], chat_template=template, **options)
                    found.append({**entry, "text": texts[0]})
                except TemplateError as error:
                    found.append({**entry, "error": error.message})
    return {"special": SPECIAL, "templates": TEMPLATES, "conversations": CONVERSATIONS, "rendered": found}
