"""The wheel, built and installed alone: what runs at an agency is this, not the checkout."""

import site
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("consumers", "deploy", "producers", "referral_bus", "schemas")

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel in it. Its dependencies are those of this one; the checkout is not there."""

    folder: Path
    wheel: Path

    @property
    def packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))

    def run(self, *command: str, cwd: Path | None = None) -> str:
        """What it prints; it must end well and say nothing on standard error."""
        ended = subprocess.run(
            [str(self.folder / "bin" / command[0]), *command[1:]],
            cwd=cwd or self.folder,
            env={"PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "error"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    made = Installed(folder, wheel)
    # The folder's own .pth files, the one of the checkout among them, do not count from here.
    (made.packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    install = ["pip", "--python", str(folder), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", *install], check=True, timeout=60)
    return made


def in_the_checkout(suffix: str = "") -> set[str]:
    """Every file of the packages but what Python leaves there."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob(f"*{suffix}")
        if path.is_file() and "__pycache__" not in path.parts
    }


def in_the_wheel(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    assert in_the_wheel(wheel) == in_the_checkout()


@pytest.mark.parametrize(
    "pattern",
    [
        "schemas/avro/ReferralBody.v1.avsc",
        "schemas/codes/service_types.yaml",
        "schemas/examples/referral-minimal.json",
        "schemas/vectors/register.yaml",
        "deploy/kafka/pom.xml",
        "deploy/kafka/jars.sha512",
        "deploy/demo/register/example.yaml",
        "referral_bus/ledger/migrations/versions/v0001_first.py",
        "referral_bus/ledger/migrations/script.py.mako",
        *(f"{package}/py.typed" for package in PACKAGES),
    ],
)
def test_what_is_no_module_is_in_it_too(pattern: str, wheel: Path) -> None:
    assert pattern in in_the_wheel(wheel)


def test_it_says_what_it_is_and_that_it_is_not_for_an_index(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
        (license_name,) = (name for name in archive.namelist() if name.endswith("/licenses/LICENSE"))
        assert b"Apache License" in archive.read(license_name)
    assert metadata["Name"] == "referral-bus"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Private :: Do Not Upload" in metadata.get_all("Classifier", [])
    assert len(metadata.get_payload()) > 500  # the read-me


def test_the_command_runs_from_another_folder(installed: Installed, tmp_path: Path) -> None:
    assert "publish" in installed.run("referral-bus", "--help", cwd=tmp_path)
    assert "mhpss" in installed.run("referral-bus", "codes", "service_types", cwd=tmp_path)
    assert "ReferralEvent" in installed.run("referral-bus", "schemas", cwd=tmp_path)
    assert installed.run("python", "-Im", "deploy.app", "--version", cwd=tmp_path).startswith("0.")


def test_every_module_is_imported_from_the_wheel(installed: Installed) -> None:
    """Isolated, so that neither a folder nor the environment can lend a module."""
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in in_the_wheel(installed.wheel)
        if name.endswith(".py") and "/migrations/" not in name and not name.endswith("__main__.py")
    )
    code = "import importlib, sys; print(*{importlib.import_module(name).__file__ for name in sys.argv[1:]}, sep='\\n')"
    files = installed.run("python", "-I", "-W", "ignore", "-c", code, *modules).splitlines()
    assert len(files) == len(modules)
    assert [file for file in files if not Path(file).is_relative_to(installed.packages)] == []


def test_a_home_is_made_and_the_example_register_read_with_the_wheels_own_files(
    installed: Installed, tmp_path: Path
) -> None:
    home = ("--home", str(tmp_path / "home"))
    init = ("--agency", "mahalla", "--federation", "example-federation", "--kafka", "127.0.0.1:9092")
    assert "public_key: " in installed.run("referral-bus", "agency", "init", *home, *init)
    assert installed.run("referral-bus", "inbox", *home) == "nothing new\n"
    example = installed.packages / "deploy" / "demo" / "register" / "example.yaml"
    assert installed.run("referral-bus", "register", "lint", str(example)) == "no findings\n"
