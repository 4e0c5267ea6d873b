import gzip
import hashlib

import pytest

from fakeimaging.core.files import (
    HIDDEN,
    Receipt,
    remove_leftovers,
    sha256_of,
    write_bytes,
    write_json,
    write_tsv,
    writing,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")

    def fail():
        with writing(path) as file:
            file.write(b"new")
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        fail()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_final_name_appears_only_when_whole(tmp_path):
    path = tmp_path / "deep" / "a.nii.gz"
    with writing(path) as file:
        file.write(b"half")
        assert not path.exists()
        assert [p.name for p in path.parent.iterdir()] == [HIDDEN + "a.nii.gz"]
    assert gzip.decompress(path.read_bytes()) == b"half"


def test_the_hash_is_of_the_decompressed_bytes(tmp_path):
    data = bytes(range(256)) * 100
    packed, plain = write_bytes(tmp_path / "a.gz", data), write_bytes(tmp_path / "a.bin", data)
    assert packed.sha256 == plain.sha256 == hashlib.sha256(data).hexdigest() == sha256_of(tmp_path / "a.gz")
    assert plain.bytes == len(data)
    assert packed.bytes == (tmp_path / "a.gz").stat().st_size < len(data)


def test_gzip_bytes_hold_no_clock_and_no_name(tmp_path):
    write_bytes(tmp_path / "a.gz", b"x" * 1000)
    write_bytes(tmp_path / "b.gz", b"x" * 1000)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert (tmp_path / "a.gz").read_bytes()[3:8] == bytes(5)


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / f"{HIDDEN}x.json").write_text("half")
    write_json(tmp_path / "sub" / "x.json", {"a": 1})
    remove_leftovers(tmp_path)
    assert [p.name for p in (tmp_path / "sub").iterdir()] == ["x.json"]


def test_json_refuses_nan_and_tables_write_na(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    write_tsv(tmp_path / "a.tsv", ["a", "b"], [[None, 0.1]])
    assert (tmp_path / "a.tsv").read_text() == "a\tb\nn/a\t0.1\n"


def test_an_unfinished_receipt_says_so():
    with pytest.raises(RuntimeError, match="not finished"):
        _ = Receipt().result
