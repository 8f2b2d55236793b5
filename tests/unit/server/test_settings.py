"""Settings: the example file is right, mistakes are one line that names the variable."""

import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

from server.settings import Settings, read_settings
from state.errors import BadRequest

EXAMPLE = Path(__file__).parents[3] / ".env.example"


def test_the_example_file_loads_and_shows_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings(_env_file=EXAMPLE) == Settings()


def test_the_example_file_names_every_setting() -> None:
    text = EXAMPLE.read_text()
    for name in Settings.model_fields:
        variable = "HF_TOKEN" if name == "hf_token" else f"LAB_{name.upper()}"
        assert f"{variable}=" in text, f"{variable} is missing"
    assert set(dotenv_values(EXAMPLE)) < {f"LAB_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize(
    ("text", "count"), [("6.0", 6_000_000_000), ("6", 6_000_000_000), ("20GiB", 20 * 2**30), ("900MB", 900_000_000)]
)
def test_a_bare_number_is_gigabytes(monkeypatch: pytest.MonkeyPatch, text: str, count: int) -> None:
    monkeypatch.setenv("MAX_VRAM_USAGE", text)
    assert read_settings().max_vram_usage == count


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LAB_PORT", "many"),
        ("LAB_PORT", "70000"),
        ("LAB_HOST", "0.0.0.0"),
        ("LAB_HOST", "example.org"),
        ("LAB_MAX_VRAM_USAGE", "lots"),
        ("LAB_LOG_LEVEL", "loud"),
        ("LAB_REQUEST_TIMEOUT", "0"),
        ("LAB_DEFAULT_STRATEGY", "fast"),
        ("LAB_MAX_BODY", "lots"),
        ("LAB_ALLOWED_NETWORKS", "10.0.0.0/8,here"),
    ],
)
def test_a_mistake_names_its_variable(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadRequest, match=variable):
        read_settings()


def test_a_misspelt_line_of_the_env_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("LAB_PROT=1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    with pytest.raises(BadRequest, match="LAB_PROT"):
        read_settings()


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PORT", "9000")
    assert read_settings(port=9001, host=None).port == 9001
    assert read_settings().port == 9000


def test_a_database_password_is_not_printed() -> None:
    settings = read_settings(database_url="postgresql://me:secret@db/lab")
    assert "secret" not in repr(settings)


def test_keys_of_providers_are_read_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-1")
    monkeypatch.setenv("LAB_PROVIDER_KEYS", "vllm=secret-2, groq = secret=3")
    settings = read_settings()
    assert {name: key.get_secret_value() for name, key in settings.keys.items()} == {
        "openai": "secret-1",
        "vllm": "secret-2",
        "groq": "secret=3",
    }
    assert "secret" not in repr(settings) + str(settings.model_dump())


@pytest.mark.parametrize("keys", ["secret-2", "vllm=", "VLLM=secret-2", "a=secret-1,a=secret-2", "=secret-2"])
def test_a_mistake_in_the_keys_is_told_without_them(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setenv("LAB_PROVIDER_KEYS", keys)
    with pytest.raises(BadRequest, match=r"LAB_PROVIDER_KEYS: .*expected name=key") as caught:
        read_settings()
    assert "secret" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(("said", "then"), [({}, "true"), ({"LANGGRAPH_STRICT_MSGPACK": "false"}, "false")], ids=str)
def test_a_server_reads_checkpoints_strictly_unless_the_operator_says_otherwise(
    said: dict[str, str], then: str
) -> None:
    code = (
        "import server, sys, os; assert 'langgraph' not in sys.modules; print(os.environ['LANGGRAPH_STRICT_MSGPACK'])"
    )
    found = subprocess.run([sys.executable, "-c", code], env=said, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == then
