"""Encrypted script files, read back by two programs that we did not write."""

from __future__ import annotations

import hashlib
import pathlib
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tentacle_agent.encryption import TextEncryptor


def encrypt(password: str, *pieces: bytes) -> bytes:
    encryptor = TextEncryptor(password)
    return b"".join([*(encryptor.update(piece) for piece in pieces), encryptor.finish()])


def decrypt(password: str, data: bytes) -> bytes:
    ciphers = pytest.importorskip("cryptography.hazmat.primitives.ciphers")
    padding = pytest.importorskip("cryptography.hazmat.primitives.padding")
    assert data[:4] == b"IV__"
    key = hashlib.pbkdf2_hmac("sha1", password.encode(), b"Octopuss", 1000, 16)
    decryptor = ciphers.Cipher(ciphers.algorithms.AES(key), ciphers.modes.CBC(data[4:20])).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(data[20:]) + decryptor.finalize()) + unpadder.finalize()


@pytest.mark.parametrize("size", [0, 1, 3, 4, 15, 16, 17, 31, 32, 100_000])
def test_text_of_any_length_comes_back(size: int) -> None:
    text = (b"variables " * (size // 10 + 1))[:size]
    data = encrypt("passw\u00f6rd", text)
    assert decrypt("passw\u00f6rd", data) == text
    assert len(data) == 20 + size + 16 - size % 16


def test_the_vector_is_new_each_time() -> None:
    assert encrypt("p", b"same") != encrypt("p", b"same")


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (b"\xef\xbb\xbfmark", b"mark"),
        ("\ufeffgröße 🐙".encode("utf-16-le"), "größe 🐙".encode()),
        ("\ufeffgröße 🐙".encode("utf-16-be"), "größe 🐙".encode()),
        ("\ufeffgröße 🐙".encode("utf-32-le"), "größe 🐙".encode()),
        ("\ufeffgröße 🐙".encode("utf-32-be"), "größe 🐙".encode()),
        (b"a\xff\xfeb", "a\ufffd\ufffdb".encode()),
        (b"cut \xe2\x82", "cut \ufffd".encode()),
        (b"\xff\xfe", b""),
    ],
)
def test_it_is_text_that_is_encrypted(sent: bytes, stored: bytes) -> None:
    assert decrypt("p", encrypt("p", sent)) == stored
    assert decrypt("p", encrypt("p", *(bytes([byte]) for byte in sent))) == stored


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=100), st.integers(0, 100))
def test_pieces_do_not_matter(data: bytes, cut: int) -> None:
    assert decrypt("p", encrypt("p", data[:cut], data[cut:])) == decrypt("p", encrypt("p", data))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_openssl_reads_it(tmp_path: pathlib.Path) -> None:
    text = "größe: ☃\n".encode() * 1000
    data = encrypt("s3cret", text)
    (tmp_path / "body").write_bytes(data[20:])
    key = hashlib.pbkdf2_hmac("sha1", b"s3cret", b"Octopuss", 1000, 16).hex()
    command = ["openssl", "enc", "-d", "-aes-128-cbc", "-K", key, "-iv", data[4:20].hex()]
    command += ["-in", str(tmp_path / "body")]
    assert subprocess.run(command, check=True, capture_output=True).stdout == text
