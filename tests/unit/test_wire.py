"""Decoding agrees with Go on every recorded case, and on everything a store may hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backuplock import layout
from backuplock.errors import Malformed
from backuplock.model import LockRecord, Owner
from backuplock.wire import MAX_DEPTH, decode, encode

VECTORS = Path(__file__).parent.parent / "vectors" / "decode.jsonl"
CASES = [json.loads(line) for line in VECTORS.read_text("utf-8").splitlines()]
INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@pytest.mark.parametrize("case", CASES, ids=[f"case-{number}" for number in range(len(CASES))])
def test_agrees_with_longhorn(case: dict[str, object]) -> None:
    assert layout.is_lock_file(str(case["file_name"])) == case["listed"]
    if not case["listed"]:
        return
    body = str(case["body"]).encode()
    if case["ok"]:
        record = decode(body)
        expected = (case.get("name", ""), case["type"], case["acquired"])
        assert (record.name, record.type, record.acquired) == expected
    else:
        with pytest.raises(Malformed):
            decode(body)


@given(name=st.text(), type_=INT64, acquired=st.booleans())
def test_what_we_write_we_read(name: str, type_: int, acquired: bool) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    assert decode(encode(LockRecord(name, type_, acquired))) == LockRecord(name, type_, acquired)


def test_encodes_as_longhorn_does() -> None:
    body = encode(LockRecord("lock-c45c27866aa34095", 1, True))
    assert body == b'{"Name":"lock-c45c27866aa34095","Type":1,"Acquired":true}'


@given(st.builds(Owner, *[st.text(max_size=300)] * 1, pid=INT64, note=st.text(max_size=600), renewals=INT64))
def test_owner_survives_within_its_bounds(owner: Owner) -> None:
    body = encode(LockRecord("lock-0123456789abcdef", 2, False, owner))
    record = decode(body)
    assert (record.name, record.type, record.acquired) == ("lock-0123456789abcdef", 2, False)
    assert len(body) < 16 * 1024
    assert record.owner is not None
    assert record.owner.pid == owner.pid
    assert record.owner.renewals == owner.renewals


def test_owner_keys_never_fold_to_longhorns() -> None:
    owner = Owner("h", 1, "u", "backup", "n", "2026-01-01T00:00:00Z", 3, "locktop")
    keys = json.loads(encode(LockRecord("x", 1, True, owner)))
    assert [key.lower() for key in keys] == ["name", "type", "acquired", "owner"]


@given(st.binary(max_size=300))
@example(b"\xef\xbb\xbf{}")
@example(b"[" * 70_000)
@example(b'{"a":' * 20_000)
@example(b'{"Type":' + b"9" * 60_000 + b"}")
def test_never_fails_but_in_one_way(body: bytes) -> None:
    refusal = ""
    try:
        assert isinstance(decode(body), LockRecord)
    except Malformed as error:
        refusal = str(error)
    assert refusal == "" or refusal.isprintable()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=10), JSON_VALUES, max_size=5), INT64, st.booleans())
def test_unknown_keys_are_ignored(extra: dict[str, object], type_: int, acquired: bool) -> None:
    kept = {key: value for key, value in extra.items() if key.lower() not in ("name", "type", "acquired")}
    body = json.dumps({**kept, "Name": "n", "Type": type_, "Acquired": acquired})
    record = decode(body.encode("utf-8", "surrogatepass"))
    assert (record.name, record.type, record.acquired) == ("n", type_, acquired)


@given(JSON_VALUES, st.text(alphabet='{}[]",:0 \n\\ntfu', max_size=12), st.integers(1, 40))
def test_syntax_is_pythons_where_both_are_strict(value: object, noise: str, at: int) -> None:
    """For documents without NaN, huge numbers or deep nesting, Python's scanner is an oracle."""
    text = json.dumps({"x": value})
    at = min(at, len(text))
    mangled = text[:at] + noise + text[at:]
    try:
        json.JSONDecoder().raw_decode(mangled.lstrip(" \t\n\r"))
        python_takes_it = True
    except ValueError:
        python_takes_it = False
    try:
        decode(mangled.encode("utf-8", "surrogatepass"))
        we_take_it = True
    except Malformed:
        we_take_it = False
    assert we_take_it == python_takes_it


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"nullx", LockRecord("", 0, False)),
        (b'{"Type":1,"Type":null}', LockRecord("", 1, False)),
        (b'{"Name":"\xff\xfe","Type":1}', LockRecord("\ufffd\ufffd", 1, False)),
        (b'{"Name":"\\ud800","Type":1}', LockRecord("\ufffd", 1, False)),
        (b'{"TYPE":2,"acquireD":true}', LockRecord("", 2, True)),
        (
            b'{"x":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b',"Type":2}',
            LockRecord("", 2, False),
        ),
    ],
)
def test_go_habits_beyond_the_vectors(body: bytes, expected: LockRecord) -> None:
    assert decode(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
        b'{"x":NaN}',
        b'{"x":Infinity}',
        b'{"x":01}',
        b'{"x":"a\nb"}',
        b'{"x":"\\x41"}',
        b'{"Type":-0x1}',
        b'{"Type":9223372036854775808}',
        b'{"Type":1,"Type":"2"}',
        b'{"Type":[1]}',
        b'{"Acquired":{}}',
    ],
)
def test_go_refuses(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode(body)
