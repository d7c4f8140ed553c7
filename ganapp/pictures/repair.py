"""Faults beside a picture, which do not touch it: what decoders would refuse a whole file for."""

import struct
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
TEXT = (b"tEXt", b"zTXt", b"iTXt")  # of any length, and nothing that shows
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
        elif kind not in TEXT:
            out.append(data[at:end])
        at = end
    said = f"a wrong checksum of {', '.join(wrong)}" if wrong else ""
    return b"".join([*out, data[at:]]), said


def name(kind: bytes) -> str:
    return kind.decode("ascii", "replace")


def ends(data: bytes) -> list[bytes]:
    """A JPEG that lacks its last marker with two different ends, [] for any other file.

    Where all of the picture is there, both show the same; where a part of it is missing, the decoder takes what
    follows for that part.
    """
    if not data.startswith(JPEG_SIGNATURE) or data.rstrip(b"\0").endswith(JPEG_END):
        return []
    return [data + JPEG_END, data + b"\x5a\xa5\x3c" * 64 + JPEG_END]
