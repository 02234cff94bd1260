"""Moving pictures of a replay, a frame for each step, and still ones for print."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from esanalytics.widgets._bundle import still_suffix, write_picture, write_whole
from esanalytics.widgets._palettes import few_colours
from esanalytics.widgets._picture import ReplayPicture

__all__ = ["write_moving", "write_still"]

_LONGEST = 20.0
_FRAME = 0.7
_LAST = 3
"""So many frames long the last one stays."""
_PROGRESS_AFTER = 2.0


def write_moving(
    picture: ReplayPicture,
    path: str | os.PathLike[str],
    *,
    steps: Iterable[int] | None = None,
    seconds: float | None = None,
    most: int = 200,
    loop: bool = True,
) -> Path:
    """Write a moving picture; the file is there whole, or as it was before.

    Args:
        picture: what draws.
        path: ``.gif``, ``.webp``, ``.png`` or ``.apng`` (a PNG that moves), or ``.mp4`` where the program ffmpeg is
            installed.
        steps: one for each frame; None: all.
        seconds: how long it takes; None: 0.7 for each frame, at most 20 in all.
        most: the most frames; of more steps some are chosen, evenly, with the first and the last.
        loop: whether it begins again. An MP4 cannot tell.

    Raises:
        ValueError: the suffix, ``steps``, ``seconds`` or ``most`` cannot be, or there is no ffmpeg for an MP4.
        OSError: the disk refuses.

    Warns:
        UserWarning: there are more steps than frames.
    """
    target = Path(path)
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        raise ValueError(
            f"cannot write {target.suffix or 'a file without suffix'!r}; give one of {', '.join(_WRITERS)}"
        )
    chosen = _chosen(picture, steps, most)
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds={seconds!r} is not above 0")
    lasts = (min(_LONGEST, _FRAME * len(chosen)) if seconds is None else seconds) / (len(chosen) + _LAST - 1)
    program = _ffmpeg() if target.suffix.lower() == ".mp4" else ""
    with _bar(len(chosen), target.name) as bar:
        frames = _frames(picture, chosen, bar.update)
        if target.suffix.lower() == ".gif":  # of one palette, so that only what moves is stored
            frames = (few_colours(frame, picture.theme) for frame in frames)
        return write_whole(target, write(frames, lasts, program, loop))


def write_still(picture: ReplayPicture, path: str | os.PathLike[str], step: int | None = None) -> Path:
    """Write the picture of a step as ``.png``, or as ``.svg`` or ``.pdf`` that can be printed in any size.

    Raises:
        ValueError: the suffix is none of these.
        OSError: the disk refuses.
    """
    if still_suffix(path) == ".png":
        return write_whole(path, picture.png(step))
    return write_picture(picture.figure(step), path)


def _chosen(picture: ReplayPicture, steps: Iterable[int] | None, most: int) -> list[int]:
    last = len(picture.session)
    found = list(range(last + 1)) if steps is None else [int(step) for step in steps]
    if not found or min(found) < 0 or max(found) > last:
        raise ValueError(f"steps must be some of 0 to {last}, and one at least")
    if most < 1:
        raise ValueError(f"most={most!r} is not above 0")
    if len(found) <= most:
        return found
    told = f"{len(found):,} steps: {most:,} of them are frames, evenly chosen; give steps=… or most=… for others"
    warnings.warn(told, UserWarning, stacklevel=3)
    return [found[int(place)] for place in np.linspace(0, len(found) - 1, most).round()]


def _frames(picture: ReplayPicture, steps: Sequence[int], done: Callable[[], Any]) -> Iterator[Image.Image]:
    for step in steps:
        yield Image.fromarray(picture.pixels(step))
        done()


def _gif(frames: Iterator[Image.Image], lasts: float, _: str, loop: bool) -> bytes:  # noqa: FBT001  a row of writers
    return _packed("GIF", list(frames), lasts, loop, optimize=False)


def _webp(frames: Iterator[Image.Image], lasts: float, _: str, loop: bool) -> bytes:  # noqa: FBT001
    return _packed("WEBP", list(frames), lasts, loop, lossless=True, quality=20, method=1)


def _apng(frames: Iterator[Image.Image], lasts: float, _: str, loop: bool) -> bytes:  # noqa: FBT001
    return _packed("PNG", list(frames), lasts, loop, compress_level=6)


def _packed(kind: str, frames: list[Image.Image], lasts: float, loop: bool, **how: Any) -> bytes:  # noqa: ANN401, FBT001
    each = max(20, round(lasts * 1000))
    found, first = io.BytesIO(), frames[0]
    durations = [*[each] * (len(frames) - 1), each * _LAST]
    again = {"loop": 0} if loop else {"loop": 1} if kind != "GIF" else {}
    first.save(found, kind, save_all=True, append_images=frames[1:], duration=durations, **again, **how)
    return found.getvalue()


def _mp4(frames: Iterator[Image.Image], lasts: float, program: str, _: bool) -> bytes:  # noqa: FBT001
    """Let ffmpeg pack frames; it writes into a file of its own, for an MP4 ends with what comes first."""
    first = next(frames)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "moving.mp4"
        size = f"{first.width}x{first.height}"
        command = [program, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size]
        command += ["-r", f"{1 / lasts:.4f}", "-i", "-", "-an", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2"]
        command += ["-r", "25", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(target)]
        with (Path(folder) / "told").open("w+b") as told:
            ended = _fed(command, first, frames, told)
            if ended or not target.is_file():
                told.seek(0)
                text = told.read().decode(errors="replace").strip() or f"it ended with {ended}"
                raise ValueError(f"ffmpeg could not write the MP4: {text[-300:]}; write a .gif or .webp")
        return target.read_bytes()


def _fed(command: list[str], first: Image.Image, frames: Iterator[Image.Image], told: Any) -> int:  # noqa: ANN401  a file
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=told, stderr=told) as running:  # noqa: S603  found by which
        try:
            with suppress(BrokenPipeError):  # ffmpeg has ended, and says why
                for frame in _held(first, frames):
                    running.stdin.write(frame.tobytes())  # type: ignore[union-attr]  # it was asked for
        except BaseException:
            running.kill()
            raise
        with suppress(BrokenPipeError):
            running.stdin.close()  # type: ignore[union-attr]
        return running.wait()


def _held(first: Image.Image, frames: Iterator[Image.Image]) -> Iterator[Image.Image]:
    last = first
    yield first
    for frame in frames:
        last = frame
        yield frame
    for _ in range(_LAST - 1):
        yield last


def _ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        raise ValueError(
            "an MP4 needs the program ffmpeg, which is not installed; install it, or write a .gif or .webp"
        )
    return program


def _bar(total: int, name: str) -> Any:  # noqa: ANN401  a bar
    """Show how far it is, where somebody looks and it takes long."""
    from tqdm.auto import tqdm  # noqa: PLC0415  it looks for widgets when imported

    shown = sys.stderr.isatty() or "ipykernel" in sys.modules
    return tqdm(total=total, unit="frames", desc=name, delay=_PROGRESS_AFTER, disable=not shown)


_WRITERS: dict[str, Callable[[Iterator[Image.Image], float, str, bool], bytes]] = {
    ".gif": _gif,
    ".webp": _webp,
    ".png": _apng,
    ".apng": _apng,
    ".mp4": _mp4,
}
