// The help text of `flamboyance data`.

export const DATA = `flamboyance data list | show NAME: the data sets of KOSMOS-1

The table of Kosmos-X's README: what KOSMOS-1 is trained on and evaluated with,
26 rows, letter for letter, with notes where a link or a size is doubtful. NAME
is a name or an id of the list; capitals do not matter.

Options
  --role ROLE         list: only pretrain-text, pretrain-caption,
                      pretrain-interleaved or eval
  --json              print {"datasets": […]} as one document

Exit status
  0 printed   3 usage

Example
  flamboyance data show coco-captions
`;
