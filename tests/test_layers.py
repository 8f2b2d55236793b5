"""The floors: each imports only floors below it, and imports are at the top of a file."""

import ast
from pathlib import Path

FLOORS = ["state", "llm", "nodes", "graphs", "server"]  # lowest first
ROOT = Path(__file__).parent.parent
TORCH_ONLY_IN = ("llm/vram.py", "llm/loading/", "llm/engine/", "llm/demo/")


def imported_modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def floor_files() -> list[Path]:
    return [path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py"))]


def test_no_floor_imports_a_higher_one() -> None:
    files = floor_files()
    assert len(files) > 40, "the floors were not found"
    for path in files:
        floor = path.relative_to(ROOT).parts[0]
        above = set(FLOORS[FLOORS.index(floor) + 1 :])
        reached = {name.split(".")[0] for name in imported_modules(path)} & above
        assert not reached, f"{path} reaches up to {reached}"


def test_torch_and_transformers_stay_behind_the_model_door() -> None:
    for path in floor_files():
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(TORCH_ONLY_IN):
            heavy = {module.split(".")[0] for module in imported_modules(path)} & {"torch", "transformers"}
            assert not heavy, f"{name} imports {heavy}"


def test_only_settings_read_the_environment() -> None:
    for path in floor_files():
        name = path.relative_to(ROOT).as_posix()
        # server/__init__.py reads nothing: it sets what LangGraph reads at its import.
        if name not in ("server/__init__.py", "server/settings.py", "server/doctor.py"):
            assert "os.environ" not in path.read_text(), f"{name} reads the environment"


def test_the_top_level_holds_no_other_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == {*FLOORS, "tests"}
