"""The files for a cluster: they parse, say what the program reads, and ask for no rights beyond its needs."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from backuplock.stores import azblob_config, s3_config
from backuplock.target import parse_target
from harness.manifests import DEPLOY, TOP, kubectl_run, objects, overrides, parsed, pods
from locktop.subcommands.metrics import listening

PODS = sorted(pods())


class Asked(Mapping[str, str]):
    """Variables that remember which of them were asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def container(name: str) -> dict[str, Any]:
    (found,) = pods()[name]["containers"]
    assert isinstance(found, dict)
    return found


def test_each_file_declares_objects() -> None:
    kinds = {name: [one["kind"] for one in found] for name, found in objects().items()}
    assert kinds == {
        "console-nfs.yaml": ["PersistentVolume", "PersistentVolumeClaim", "Pod"],
        "job.yaml": ["Job"],
        "metrics.yaml": ["Deployment"],
    }
    for found in objects().values():
        for one in found:
            assert one["metadata"]["name"]
            wanted = None if one["kind"] == "PersistentVolume" else "longhorn-system"
            assert one["metadata"].get("namespace") == wanted


@pytest.mark.parametrize("name", PODS)
def test_the_command_lines_are_the_program_s_own(name: str) -> None:
    one = container(name)
    if one.get("command") != ["sleep", "86400"]:
        assert "command" not in one
        parsed(one["args"])
    listen = getattr(parsed(one.get("args", [])), "listen", None)
    if listen is not None:
        assert listening(listen)[1] == one["ports"][0]["containerPort"]


@pytest.mark.parametrize("name", ["job.yaml", "metrics.yaml", "console-nfs.yaml"])
def test_the_target_in_a_manifest_is_one(name: str) -> None:
    values = {one["name"]: one["value"] for one in container(name)["env"]}
    target = parse_target(values["LOCKTOP_TARGET"])
    assert target.url == ("vfs:///backups" if "nfs" in name else container("README.md")["args"][0])


def test_the_scraper_is_told_the_port_that_listens() -> None:
    (deployment,) = objects()["metrics.yaml"]
    template = deployment["spec"]["template"]
    notes = template["metadata"]["annotations"]
    assert all(isinstance(value, str) for value in notes.values())
    (port,) = container("metrics.yaml")["ports"]
    assert notes["prometheus.io/port"] == str(port["containerPort"])
    assert deployment["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()


@pytest.mark.parametrize("name", PODS)
def test_no_pod_gets_more_than_it_needs(name: str) -> None:
    assert pods()[name]["automountServiceAccountToken"] is False
    if name == "README.md":
        return
    rights = container(name)["securityContext"]
    assert (rights["allowPrivilegeEscalation"], rights["capabilities"]["drop"]) == (False, ["ALL"])
    volumes = {one["name"] for one in pods()[name]["volumes"]}
    assert {one["name"] for one in container(name)["volumeMounts"]} == volumes
    assert pods()[name]["securityContext"]["runAsUser"] == (0 if "nfs" in name else 65532)


def test_the_share_is_mounted_as_longhorn_mounts_it() -> None:
    volume, claim, pod = objects()["console-nfs.yaml"]
    assert {"nfsvers=4.2", "actimeo=1", "soft", "timeo=300", "retry=2"} == set(volume["spec"]["mountOptions"])
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert volume["spec"]["nfs"]["readOnly"] is True
    (backups,) = (one for one in pod["spec"]["volumes"] if one["name"] == "backups")
    assert backups["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"], "readOnly": True}
    paths = {one["name"]: one["mountPath"] for one in container("console-nfs.yaml")["volumeMounts"]}
    values = {one["name"]: one["value"] for one in container("console-nfs.yaml")["env"]}
    assert (values["LOCKTOP_TARGET"], values["HOME"]) == (paths["backups"], paths["home"])


def test_the_secret_s_names_are_those_that_are_read() -> None:
    readme = (TOP / "README.md").read_text("utf-8")
    section = readme.partition("## In the cluster\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"`((?:AWS|AZBLOB|VIRTUAL|HTTPS?|NO)_[A-Z_]+)`", section))
    s3 = Asked(
        {
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_ENDPOINTS": "http://minio.example:9000",
        }
    )
    s3_config.read_settings(parse_target("s3://backups@us-east-1/prod/"), s3)
    https = Asked({})
    s3_config.read_settings(parse_target("s3://backups@us-east-1/prod/"), https)
    azure = Asked({"AZBLOB_ACCOUNT_NAME": "a", "AZBLOB_ACCOUNT_KEY": "aGVsbG8="})
    target = parse_target("azblob://container@core.windows.net/path/")
    session, folder = azblob_config.session_for(azblob_config.read_settings(target, azure))
    session.close()
    assert folder is None
    assert told >= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AZBLOB_ACCOUNT_KEY"}
    assert told <= s3.names | https.names | azure.names


def test_kubectl_run_names_one_container_and_its_image_twice_alike() -> None:
    words = kubectl_run()
    name = words[words.index("run") + 1]
    image = next(word.partition("=")[2] for word in words if word.startswith("--image="))
    one = container("README.md")
    assert overrides()["apiVersion"] == "v1"
    assert (one["name"], one["image"], one["stdin"], one["tty"]) == (name, image, True, True)
    assert {"-it", "--rm", "--restart=Never"} < set(words)


def test_the_image_is_made_of_what_there_is() -> None:
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    assert [rest.split()[0] for step, rest in steps if step == "FROM"] == ["python:3.13-slim"] * 2
    copied = [
        source
        for step, rest in steps
        if step == "COPY" and not rest.startswith("--")
        for source in rest.split()[:-1]
    ]
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    assert {project["readme"], *project["license-files"], "pyproject.toml", "core", "console"} == set(copied)
    assert all((TOP / source).exists() for source in copied)
    let_in = (DEPLOY / "Containerfile.dockerignore").read_text("utf-8").split()
    assert {f"!{source}" for source in copied} <= set(let_in)
    extras = re.search(r"pip install [^\n]*\"\.\[([a-z,]+)\]\"", text)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
    orders = dict(steps)
    (program,) = json.loads(orders["ENTRYPOINT"])
    assert program in project["scripts"]
    user = orders["USER"].partition(":")[0]
    assert user == str(pods()["job.yaml"]["securityContext"]["runAsUser"]) != "0"
    version = project["version"]
    assert {container(name)["image"] for name in PODS} == {f"locktop:{version}"}
