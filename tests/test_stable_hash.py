"""Hashes that must be the same for ever: sketches in Redis and in the archive hold them."""

import random

import numpy as np

from streams.stable_hash import as_texts, hashes_of, hashes_of_pairs

HASHES = [16294208416658607535, 4180534928061864052, 10007646284078450045, 15466131144055504006]
PAIRS = [4218097356361530063, 17031636868507606103, 4695793943058903105]
TEXTS = ["0hZPe4lP", "v2cH7lDq"]


def test_hashes_do_not_change() -> None:
    """From another process, machine or version: a changed value would count every visitor twice."""
    assert hashes_of(["", "9f2c", "é" * 20, "0" * 64]).tolist() == HASHES
    assert hashes_of_pairs(hashes_of(["mbn", "", "mbn"]), ["9f2c", "9f2c", "0" * 64]).tolist() == PAIRS


def test_texts_are_of_eight_characters_and_differ() -> None:
    hashes = hashes_of([f"{n}" for n in range(50_000)])
    texts = as_texts(hashes).tolist()
    assert len(set(texts)) == len(texts)
    assert {len(text) for text in texts} == {8}
    assert as_texts(hashes_of(["9f2c", ""])).tolist() == TEXTS
    assert as_texts(hashes_of([])).tolist() == []


def test_a_hash_does_not_depend_on_its_company() -> None:
    texts = ["a", "b" * 9, "é", "c" * 128, "d" * 5000]
    assert [hashes_of([text]).tolist()[0] for text in texts] == hashes_of(texts).tolist()
    assert hashes_of([]).tolist() == []


def test_different_pairs_have_different_hashes() -> None:
    rnd = random.Random(1)
    texts = [f"{rnd.getrandbits(256):064x}" for _ in range(20_000)] + [f"v{n}" for n in range(20_000)]
    owners = ["mbn", "toutatice", ""]
    found = [hashes_of_pairs(hashes_of([owner] * len(texts)), texts) for owner in owners]
    assert len(np.unique(np.concatenate(found))) == len(texts) * len(owners)
    swapped = hashes_of_pairs(hashes_of(["a", "b", "ab", "a"]), ["b", "a", "c", "bc"])
    assert len(np.unique(swapped)) == 4
    # What Redis makes of them is evenly spread only if every bit is.
    bits = (found[0][:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02
