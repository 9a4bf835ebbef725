"""Backup targets: Longhorn's forms, plain paths, what each malformed kind gets, no secret repeated."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backuplock.errors import Malformed
from backuplock.target import LENGTH_CAP, SCHEMES, Target, local_target, parse_target, store_root
from backuplock.text import printable


def test_s3_with_a_region() -> None:
    assert parse_target("s3://lh-backups@eu-central-1/eu1/") == Target(
        "s3", "s3://lh-backups@eu-central-1/eu1/", bucket="lh-backups", region="eu-central-1", prefix="eu1"
    )


def test_s3_without_a_region_leaves_it_to_the_store() -> None:
    assert parse_target("s3://bucket/a/b") == Target("s3", "s3://bucket/a/b/", bucket="bucket", prefix="a/b")


def test_s3_path_that_is_only_a_slash() -> None:
    """Longhorn's own examples are written so."""
    assert parse_target("s3://backupbucket@us-east-1/").prefix == ""


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("s3://b@r//x///y/", "x/y"),
        ("s3://b@r/./x/.", "x"),
        ("s3://b@r/a%20b", "a b"),
        ("s3://b@r/a+b", "a+b"),
        ("s3://b@r/%C3%A9", "é"),
        ("s3://b@r/a:b@c", "a:b@c"),
        ("S3://b@r/x", "x"),
    ],
)
def test_s3_prefixes(text: str, prefix: str) -> None:
    assert parse_target(text).prefix == prefix


def test_nfs() -> None:
    target = parse_target("nfs://nas.example:/export/backups")
    assert (target.scheme, target.host, target.path) == ("nfs", "nas.example", "/export/backups")
    assert target.url == "nfs://nas.example:/export/backups"
    assert parse_target("nfs://nas.example/export/backups/") == target


def test_nfs_options_in_order() -> None:
    target = parse_target("nfs://nas:/b?nfsOptions=actimeo=1,soft,timeo=300")
    assert target.options == (("actimeo", "1"), ("soft", ""), ("timeo", "300"))
    assert target.url == "nfs://nas:/b?nfsOptions=actimeo=1,soft,timeo=300"
    assert parse_target("nfs://nas:/b?nfsOptions=actimeo%3D1%2Csoft,,timeo=300") == target


def test_nfs_root_and_ipv6() -> None:
    assert parse_target("nfs://nas:/").path == "/"
    target = parse_target("nfs://[fd00::1]:/b")
    assert (target.host, target.url) == ("fd00::1", "nfs://[fd00::1]:/b")


def test_cifs() -> None:
    target = parse_target("cifs://win.example/share/sub?cifsOptions=rsize=65536,soft")
    assert (target.host, target.path) == ("win.example", "/share/sub")
    assert target.options == (("rsize", "65536"), ("soft", ""))


def test_azblob() -> None:
    target = parse_target("azblob://container@core.windows.net/path/")
    assert (target.bucket, target.host, target.prefix) == ("container", "core.windows.net", "path")
    assert parse_target("azblob://container/path").host == ""


@pytest.mark.parametrize(
    "text", ["vfs:///mnt/a/b", "file:///mnt/a/b/", "/mnt/a/b", "/mnt//a/./b/", "VFS:///mnt/a/b"]
)
def test_local_forms(text: str) -> None:
    assert parse_target(text) == Target("vfs", "vfs:///mnt/a/b", path="/mnt/a/b")


def test_relative_path_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_target("./x").path == str(tmp_path / "x")
    assert parse_target("x").path == str(tmp_path / "x")
    assert parse_target(".").path == str(tmp_path)
    assert parse_target("~/x", {"HOME": "/home/somebody"}).path == "/home/somebody/x"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_target("~").path == str(tmp_path)


def test_path_bytes_that_are_not_utf8_survive() -> None:
    target = parse_target("vfs:///mnt/%ff%20x")
    assert target.path == "/mnt/\udcff x"
    assert target.url == "vfs:///mnt/%FF%20x"
    assert parse_target(target.path) == target


def test_bidi_override_in_a_path_is_escaped_in_the_url() -> None:
    target = parse_target("/mnt/a\u202eb")
    assert target.url == "vfs:///mnt/a%E2%80%AEb"
    assert parse_target(target.url) == target


def test_pointing_at_the_backupstore_folder_means_its_parent(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "backupstore" / "volumes").mkdir(parents=True)
    for spot in (root, root / "backupstore"):
        assert parse_target(str(spot)).path == str(root)
        assert parse_target(f"vfs://{spot}/").path == str(root)


def test_a_root_that_is_itself_called_backupstore(tmp_path: Path) -> None:
    root = tmp_path / "backupstore"
    (root / "backupstore" / "volumes").mkdir(parents=True)
    assert parse_target(str(root)).path == str(root)
    assert parse_target(str(root / "backupstore")).path == str(root)
    # Even with a stray folder `volumes` in the root itself.
    (root / "volumes").mkdir()
    assert store_root(root) == root


def test_an_empty_folder_called_backupstore_is_a_root(tmp_path: Path) -> None:
    (tmp_path / "backupstore").mkdir()
    assert parse_target(str(tmp_path / "backupstore")).path == str(tmp_path / "backupstore")


MALFORMED = [
    ("", "is empty"),
    ("  \t ", "is empty"),
    (" /mnt/x", "white space"),
    ("/mnt/x\n", "control character"),
    ("/mnt/\0x", "control character"),
    ("vfs:///mnt/%00", "control character"),
    ("s3://b@r/a%0Ab", "control character"),
    ("s3://b@r/\x1b[2J", "control character"),
    ("/" + "x" * LENGTH_CAP, "characters"),
    ("/" + "%" * (LENGTH_CAP // 2), "characters"),
    ("/mnt/\ud800", "not text"),
    ("s3://b@r", "the path must not be empty"),
    ("s3://", "no bucket"),
    ("s3:///x", "no bucket"),
    ("s3://@r/x", "no bucket"),
    ("s3://b_!@r/x", "no bucket name"),
    ("s3://b@r!/x", "no region"),
    ("s3://b@r/%zz", "two hex digits"),
    ("s3://b@r/%ff", "not UTF-8"),
    ("s3://b@r/../x", "'..'"),
    ("s3://b@r/%2e%2e/x", "'..'"),
    ("s3://b@r/x?versionId=3", "no '?'"),
    ("s3://b@r/x#y", "%23"),
    ("s3:b/x", "not followed by '://'"),
    ("s3//b/x", "not followed by '://'"),
    ("NFS:/x", "not followed by '://'"),
    ("ss3://b/x", "did you mean s3://"),
    ("smb://h/s", "did you mean cifs://"),
    ("ftp://h/s", "no kind of backup target"),
    ("https://minio.example/b", "AWS_ENDPOINTS=https://"),
    ("a b://x", "scheme"),
    ("nfs://", "no host"),
    ("nfs://:/share", "no host"),
    ("nfs://nas", "no share"),
    ("nfs://nas:", "no share"),
    ("nfs://nas:2049/share", "port"),
    ("nfs://fd00::1:/share", "brackets"),
    ("nfs://[fd00::zz]:/share", "no host name"),
    ("nfs://n as:/share", "no host name"),
    ("nfs://nas:/share?nfsoptions=soft", "something else than nfsOptions"),
    ("nfs://nas:/share?cifsOptions=soft", "something else than nfsOptions"),
    ("nfs://nas:/share?nfsOptions=soft&x=y", "something else than nfsOptions"),
    ("nfs://nas:/share?nfsOptions=so ft", "not a mount option"),
    ("nfs://nas:/a/../b", "'..'"),
    ("cifs://win", "no share"),
    ("cifs://win/", "no share"),
    ("azblob://c@core.windows.net", "the path must not be empty"),
    ("azblob:///x", "no container"),
    ("vfs://", "must not be empty"),
    ("vfs://mnt/x", "three slashes"),
    ("vfs:///mnt/../x", "'..'"),
    ("~nobody-of-this-name/x", "cannot be resolved"),
    ("nas:/share", "NFS share"),
]


@pytest.mark.parametrize(("text", "part"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_targets_say_what_and_what_to_do(text: str, part: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_target(text)
    line = str(caught.value)
    assert part in line
    assert caught.value.advice
    assert printable(line, limit=10_000) == line


def test_home_that_is_not_set() -> None:
    with pytest.raises(Malformed, match="HOME"):
        parse_target("~/x", {})


def test_dots_in_a_plain_path_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real/a").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/a")
    monkeypatch.chdir(tmp_path / "real/a")
    for text, path in (("../b", "real/b"), ("./b", "real/a/b"), ("..", "real"), (".", "real/a")):
        assert parse_target(text).path == f"{tmp_path}/{path}", text
    assert parse_target(f"{tmp_path}/link/../b").path == f"{tmp_path}/real/b", "where the kernel would go"


def test_every_kind_that_is_supported_is_suggested() -> None:
    with pytest.raises(Malformed) as caught:
        parse_target("")
    for form in ("s3://", "azblob://", "nfs://host:/share", "cifs://", "vfs://", "or a path"):
        assert form in caught.value.advice


@pytest.mark.parametrize(
    "text",
    [
        "s3://AKIAKEY:{0}@bucket/x",
        "s3://AKIAKEY:{0}@bucket@region/x",
        "s3://AKIAKEY:{0}@bucket",
        "s3://AKIAKEY:{0}@",
        "s3://AKIAKEY:{0}",
        "s3://bucket@region/x?X-Amz-Signature={0}",
        "cifs://user:{0}@host/share",
        "cifs://user:{0}@host",
        "cifs://user:{0}/share",
        "cifs://host/share?cifsOptions=username=u,password={0}",
        "cifs://host/share?cifsOptions=pass={0}",
        "cifs://host/share?cifsOptions=PASSWORD2={0}",
        "cifs://host/share?cifsOptions=username=u%25{0}",
        "nfs://user:{0}@host:/share",
        "vfs://user:{0}@host/share",
        "azblob://account:{0}@container/x",
        "azblob://container@core.windows.net/x?sig={0}",
        "https://user:{0}@host/bucket",
        "s4://KEY:{0}@bucket/x",
        "s3:KEY:{0}@bucket/x",
        "KEY:{0}@s3://bucket/x",
    ],
)
@given(secret=st.text(string.ascii_letters + string.digits + "+/=", min_size=8, max_size=40))
def test_credentials_are_refused_and_not_repeated(text: str, secret: str) -> None:
    secret = f"q{secret}"
    with pytest.raises(Malformed) as caught:
        parse_target(text.format(secret))
    assert secret not in str(caught.value)
    assert secret not in repr(caught.value.args)


def check_any(text: str) -> None:
    target, line = None, ""
    try:
        target = parse_target(text, {"HOME": "/home/somebody"})
    except Malformed as error:
        line = str(error)
    assert printable(line, limit=20_000) == line
    if target is not None:
        assert target.scheme in SCHEMES
        assert printable(target.url, limit=2 * LENGTH_CAP) == target.url
        assert parse_target(target.url) == target


@given(st.text())
def test_any_text_gives_a_target_or_malformed(text: str) -> None:
    check_any(text)


_PIECES = st.sampled_from(
    [f"{scheme}://" for scheme in (*SCHEMES, "file")]
    + [
        ":",
        "/",
        "//",
        "@",
        "?",
        "&",
        "=",
        ",",
        "#",
        "%",
        "%20",
        "%2e",
        "%00",
        "%ff",
        "..",
        ".",
        "~",
        "[",
        "]",
        "fd00::1",
        "host",
        "bucket",
        "region",
        "share",
    ]
    + ["nfsOptions=", "cifsOptions=", "soft", "backupstore", "é", "+", "\\"]
    + ["\u202e", "\udcff", " "]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_anything_made_of_the_pieces_of_targets(text: str) -> None:
    check_any(text)


@given(st.sampled_from(SCHEMES), st.text(), st.text())
def test_any_host_and_path(scheme: str, host: str, path: str) -> None:
    check_any(f"{scheme}://{host}/{path}")


def test_local_target_takes_a_path_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "backupstore" / "volumes").mkdir(parents=True)
    assert local_target(tmp_path / "backupstore").path == str(tmp_path / "backupstore")
