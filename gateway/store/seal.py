"""How a blob lies on disk: a header with version, then the octets, compressed where that helps, encrypted when a key is
set (safety P-1).

Each blob has a random data key, wrapped by the site key: whoever deletes the file has erased the mail, backups of the
site key notwithstanding. Encryption goes in chunks; each chunk's nonce is its number, and the last one says so, so that a
file that was cut, or whose chunks changed places, does not open.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC: Final = b"MGB1"
CHUNK: Final = 1024 * 1024
KEY_SIZE: Final = 32

_COMPRESSED, _ENCRYPTED = 1, 2
_HEADER = struct.Struct(">4sB3xQ")  # magic, flags, size of the octets as received
_WRAP = struct.Struct(">8s12s48s")  # id of the site key, nonce, wrapped data key with its tag
_TAG = 16
_SAMPLE = 64 * 1024


class Unreadable(ValueError):
    """The file is damaged, or no site key that we have opens it."""


def key_id(key: bytes) -> bytes:
    """A short name of a site key, so that a rotated one is found again; it tells nothing about the key."""
    return hashlib.sha256(b"blob key id\0" + key).digest()[:8]


def sealed(octets: memoryview, keys: Sequence[bytes]) -> Iterator[bytes]:
    """The file in pieces. The first key seals; none: not encrypted."""
    compressed = _compresses(octets)
    header = _HEADER.pack(MAGIC, _COMPRESSED * compressed | _ENCRYPTED * bool(keys), len(octets))
    body = _squeezed(octets) if compressed else (octets[at : at + CHUNK] for at in range(0, len(octets), CHUNK))
    if not keys:
        yield header
        yield from map(bytes, body)
        return
    data_key, nonce = secrets.token_bytes(KEY_SIZE), secrets.token_bytes(12)
    wrapped = AESGCM(keys[0]).encrypt(nonce, data_key, header)
    header += _WRAP.pack(key_id(keys[0]), nonce, wrapped)
    yield header
    cipher = AESGCM(data_key)
    number, held = 0, b""
    for chunk in _even(body):
        if number or held:
            yield cipher.encrypt(_nonce(number, last=False), held, header)
            number += 1
        held = chunk
    yield cipher.encrypt(_nonce(number, last=True), held, header)


def opened(file: bytes, keys: Sequence[bytes]) -> bytes:
    """The octets as received. Raises Unreadable."""
    flags, size, offset, cipher = _read_header(file, keys)
    body = file[offset:] if cipher is None else b"".join(_decrypted(file, offset, cipher))
    if flags & _COMPRESSED:
        inflater = zlib.decompressobj()
        try:
            body = inflater.decompress(body, size + 1)
        except zlib.error as error:
            raise Unreadable("blob is damaged") from error
    if len(body) != size:
        raise Unreadable(f"blob holds {len(body)} octets instead of {size}")
    return body


def proven_digest(file: bytes, keys: Sequence[bytes]) -> str:
    """SHA-256 in hex of the octets as received, a chunk in memory at a time: also of a file made to burst us.

    Raises Unreadable, at once when there are more octets than the header says.
    """
    flags, size, offset, cipher = _read_header(file, keys)
    plain = (file[at : at + CHUNK] for at in range(offset, len(file), CHUNK))
    body = plain if cipher is None else _decrypted(file, offset, cipher)
    digest, total = hashlib.sha256(), 0
    for piece in _inflated(body) if flags & _COMPRESSED else body:
        total += len(piece)
        if total > size:
            break
        digest.update(piece)
    if total != size:
        raise Unreadable(f"blob does not hold the {size} octets that its header says")
    return digest.hexdigest()


def sealed_by(file: bytes) -> bytes:
    """The key_id() of the site key that opens the file; b"" when it is not encrypted, or no blob at all."""
    if not is_encrypted(file) or not file.startswith(MAGIC) or len(file) < _HEADER.size + _WRAP.size:
        return b""
    name, _, _ = _WRAP.unpack_from(file, _HEADER.size)
    return bytes(name)


def is_encrypted(file: bytes) -> bool:
    """Whether the file's header says that it is encrypted."""
    return len(file) >= _HEADER.size and bool(_HEADER.unpack_from(file)[1] & _ENCRYPTED)


def _read_header(file: bytes, keys: Sequence[bytes]) -> tuple[int, int, int, AESGCM | None]:
    if len(file) < _HEADER.size:
        raise Unreadable("blob is shorter than its header")
    magic, flags, size = _HEADER.unpack_from(file)
    if magic != MAGIC or flags & ~(_COMPRESSED | _ENCRYPTED):
        raise Unreadable("not a blob of a version that this gateway knows")
    if not flags & _ENCRYPTED:
        return flags, size, _HEADER.size, None
    if len(file) < _HEADER.size + _WRAP.size:
        raise Unreadable("blob is shorter than its header")
    name, nonce, wrapped = _WRAP.unpack_from(file, _HEADER.size)
    key = next((key for key in keys if key_id(key) == name), None)
    if key is None:
        raise Unreadable("blob is encrypted with a site key that is not configured")
    try:
        data_key = AESGCM(key).decrypt(nonce, wrapped, file[: _HEADER.size])
    except InvalidTag as error:
        raise Unreadable("blob header does not fit its key") from error
    return flags, size, _HEADER.size + _WRAP.size, AESGCM(data_key)


def _decrypted(file: bytes, offset: int, cipher: AESGCM) -> Iterator[bytes]:
    header, step = file[:offset], CHUNK + _TAG
    for number, at in enumerate(range(offset, max(len(file), offset + 1), step)):
        last = at + step >= len(file)
        try:
            yield cipher.decrypt(_nonce(number, last=last), file[at : at + step], header)
        except (InvalidTag, ValueError) as error:
            raise Unreadable(f"blob chunk {number} is damaged") from error


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _compresses(octets: memoryview) -> bool:
    """Whether compression is worth its time, by the beginning of the octets."""
    sample = octets[:_SAMPLE]
    return len(zlib.compress(sample, 1)) < 0.9 * len(sample)


def _squeezed(octets: memoryview) -> Iterator[bytes]:
    deflater = zlib.compressobj(1)
    for at in range(0, len(octets), CHUNK):
        yield deflater.compress(octets[at : at + CHUNK])
    yield deflater.flush()


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    try:
        for piece in pieces:
            rest = piece
            while rest and not inflater.eof:
                yield inflater.decompress(rest, CHUNK)
                rest = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error as error:
        raise Unreadable("blob is damaged") from error


def _even(pieces: Iterator[bytes] | Iterator[memoryview]) -> Iterator[bytes]:
    """The same octets in pieces of CHUNK, the last one shorter."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= CHUNK:
            yield bytes(buffer[:CHUNK])
            del buffer[:CHUNK]
    if buffer:
        yield bytes(buffer)
