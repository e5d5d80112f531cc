"""Toy audio: silence of the right length, with its text in a remark where the format has room for one."""

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final

from emulator.toy_model.text import passage

DEFAULT_RATE_HERTZ: Final = 22_050
LETTER_MS: Final = 60
# Speech in a coded format is taken to have this rate.
_CODED_BYTES_PER_S: Final = 4_000
_REMARK: Final = b"toy-speech:"
_REMARKS: Final = re.compile(re.escape(_REMARK) + rb"([^\x00]*)\x00")
_MS_A_WORD: Final = 400


@dataclass(frozen=True, slots=True)
class Format:
    """How audio is written: raw samples, or a container."""

    container: str = "WAV"  # WAV | OGG_OPUS | MP3 | none
    rate_hertz: int = DEFAULT_RATE_HERTZ
    channels: int = 1

    def bytes_per_s(self) -> int:
        """Return how many bytes a second has."""
        if self.container in ("OGG_OPUS", "MP3"):
            return _CODED_BYTES_PER_S
        return 2 * self.rate_hertz * self.channels


def format_of(spec: dict[str, Any]) -> Format | None:
    """Return the format that `AudioFormatOptions` describe, None when they make no sense; empty ones are WAV."""
    raw: dict[str, Any] | None = spec.get("rawAudio")
    if raw is not None:
        rate, channels = int(raw.get("sampleRateHertz") or 0), int(raw.get("audioChannelCount") or 1)
        return Format("none", rate, channels) if 8_000 <= rate <= 48_000 and 1 <= channels <= 2 else None
    kind = (spec.get("containerAudio") or {}).get("containerAudioType", "WAV")
    return Format(kind) if kind in ("WAV", "OGG_OPUS", "MP3") else None


def spoken(text: str, length_ms: int, kind: Format, *, begins: bool) -> bytes:
    """Return audio of that length; only a piece that begins has what a container begins with."""
    silence = bytes(length_ms * kind.bytes_per_s() // 1000 // 2 * 2)
    remark = _REMARK + text.encode() + b"\x00"
    if kind.container == "none":
        return silence
    if kind.container != "WAV":
        return (b"OggS" if kind.container == "OGG_OPUS" else b"ID3\x04") + remark + silence
    if begins:
        return _wav_header(remark, len(silence), kind) + silence
    # A header stands once, and players read on behind its samples: a later remark is heard as a click.
    return remark + silence[len(remark) :]


def _wav_header(remark: bytes, size: int, kind: Format) -> bytes:
    remark += b"\x00" * (len(remark) % 2)
    notes = b"LIST" + struct.pack("<I", len(remark)) + remark
    samples = struct.pack("<HHIIHH", 1, kind.channels, kind.rate_hertz, kind.bytes_per_s(), 2 * kind.channels, 16)
    head = b"WAVEfmt " + struct.pack("<I", 16) + samples + notes + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(head) + size) + head


def length_ms(data: bytes, kind: Format) -> int:
    """Return how long audio lasts."""
    return len(data) * 1000 // kind.bytes_per_s()


def said_in(data: bytes, lasts_ms: int) -> str:
    """Return what is said: the remarks of our own speech, or words that belong to the bytes, a few a second."""
    remarks = [found.decode("utf-8", "replace") for found in _REMARKS.findall(data)]
    return " ".join(remarks) or passage(zlib.crc32(data), max(1, lasts_ms // _MS_A_WORD)).text
