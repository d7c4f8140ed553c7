"""Faults beside a picture, which do not touch it: what decoders would refuse a whole file for."""

import struct
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
TEXT = (b"tEXt", b"zTXt", b"iTXt")  # of any length, and nothing that shows, but for
ORIENTED = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # those that may turn the picture, of at most...
LONGEST = 2**16
NEEDED = (b"tRNS", b"PLTE", b"acTL", b"fcTL", b"fdAT")  # ancillary by name or not: without them, another picture shows


def repaired(data: bytes) -> tuple[bytes, str]:
    """The file without faults that lie beside its picture, and what was wrong in a few words, "" if nothing was."""
    if data.startswith(PNG_SIGNATURE):
        return without_chunks(data)
    return data, ""


def without_chunks(data: bytes) -> tuple[bytes, str]:
    """A PNG without texts, and without ancillary chunks whose checksum is wrong.

    Raises ValueError for a wrong checksum of a chunk that the picture needs, which decoders let pass.
    """
    out, at, wrong = [PNG_SIGNATURE], len(PNG_SIGNATURE), []
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length
        if end > len(data):
            break
        whole = zlib.crc32(data[at + 4 : end - 4]) == struct.unpack(">I", data[end - 4 : end])[0]
        needed = not kind[0] & 0x20 or kind in NEEDED  # a capital first letter: PNG specification, 5.4
        if not whole and needed:
            raise ValueError(f"is broken (a wrong checksum of {name(kind)})")
        if not whole:
            wrong.append(name(kind))
        elif kind not in TEXT or (data.startswith(ORIENTED, at + 8) and length <= LONGEST):
            out.append(data[at:end])
        at = end
        if kind == b"IEND":
            at = len(data)  # what follows is no part of it
    said = f"a wrong checksum of {', '.join(wrong)}" if wrong else ""
    return b"".join([*out, data[at:]]), said


def name(kind: bytes) -> str:
    return kind.decode("ascii", "replace")


def ends(data: bytes) -> list[bytes]:
    """A JPEG that lacks its last marker with two different ends, [] for any other file.

    Where all of the picture is there, both show the same; where a part of it is missing, the decoder takes what
    follows for that part. A progressive one may lack whole passes without a sign of it, and is none of these.
    """
    if not data.startswith(JPEG_SIGNATURE) or data.rstrip(b"\0").endswith(JPEG_END) or not is_baseline(data):
        return []
    return [data + JPEG_END, data + b"\x5a\xa5\x3c" * 64 + JPEG_END]


def is_baseline(data: bytes) -> bool:
    """Whether a JPEG is drawn in one pass from top to bottom, by the marker of its frame (ITU-T T.81, table B.1)."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        if marker in (0xC0, 0xC1):
            return True
        if 0xC2 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return False
        at += 2 + length
    return False
