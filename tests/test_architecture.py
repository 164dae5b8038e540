"""The one-way street, over syntax trees: who may import whom, and how long a file may be."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "spikeviz"
LIBRARY = sorted(PACKAGE.rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
APP = [p for p in (ROOT / "app.py", *PAGES) if p.exists()]

# A file imports from its own street or from one further up, never from below.
STREETS = (
    ("axes", "cache", "display", "kernels", "paths", "runtime", "recording", "probe"),
    ("data",),
    ("nn",),
    ("interventions",),
    ("models",),
    ("convert",),
    ("simulation",),
    ("metrics",),
    ("artifacts",),
    ("evaluation",),
    ("train",),
    ("figures",),
    ("views",),
    ("ui",),
    ("cli", "__main__"),
)
RANK = {room: rank for rank, street in enumerate(STREETS) for room in street}
LOWEST = len(STREETS)  # app.py and pages
DRAWING = ("plotly", "matplotlib")
# Inside the app: the kit draws any page and knows none; a component knows the kit's session and no page.
PAGES_OF_VIEWS = tuple(path.stem for path in PAGES)
SHELLS = ("kit", "components", "server")
MOST_FILES = 15  # of a folder: a room with more wants walls
SCRIPTS = sorted(PACKAGE.rglob("*.js"))
COMMANDS = (
    "spikeviz/cli/__init__.py",
    "spikeviz/ui/server/serve.py",
    "spikeviz/data/pack.py",
)  # what they print is their result


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[int, str]]:
    """(line, dotted name) of everything a file imports, also inside functions."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno} imports relatively"
            if node.module == "spikeviz":  # `from spikeviz import metrics` imports a room
                found += [(node.lineno, f"spikeviz.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, node.module))
    return found


def rooms_used(path: Path) -> list[tuple[int, str]]:
    """(line, room) of a file's imports from spikeviz; a public name of the package counts as its lowest room."""
    used = []
    for line, name in imports(path):
        if name == "spikeviz" or name.startswith("spikeviz."):
            room = name.removeprefix("spikeviz").lstrip(".").split(".")[0]
            used.append((line, room if room in RANK else "metrics"))
    return used


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_walk_sees_the_library():
    assert {room_of(p) for p in LIBRARY} >= {"axes", "data", "nn", "models", "simulation", "metrics"}
    assert ("probe" in {room for _, room in rooms_used(PACKAGE / "nn" / "neurons.py")}) and len(LIBRARY) > 20


@pytest.mark.parametrize("path", [p for p in LIBRARY if p != PACKAGE / "__init__.py"], ids=name_of)
def test_imports_point_one_way(path):
    room = room_of(path)
    assert room in RANK, f"spikeviz/{room} has no place in the street; give it one in STREETS"
    wrong = [f"line {line}: {other}" for line, other in rooms_used(path) if RANK[other] > RANK[room]]
    assert not wrong, f"{name_of(path)} ({room}) imports from below: {', '.join(wrong)}"


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_drawing_and_widgets_stay_in_their_rooms(path):
    room = room_of(path)
    for line, name in imports(path):
        top = name.split(".")[0]
        if top == "streamlit":
            assert room == "ui", f"{name_of(path)}:{line} imports streamlit"
        if top in DRAWING:
            assert room == "figures", f"{name_of(path)}:{line} imports {top}"


@pytest.mark.parametrize("path", [p for p in LIBRARY if room_of(p) == "ui"], ids=name_of)
def test_the_app_is_a_kit_that_knows_no_page(path):
    parts = path.relative_to(PACKAGE / "ui").parts
    assert parts[0] in (*SHELLS, "__init__.py"), f"{name_of(path)} is in none of {', '.join(SHELLS)}"
    for line, name in imports(path):
        page = name.removeprefix("spikeviz.views.").split(".")[0] if name.startswith("spikeviz.views.") else ""
        assert page not in PAGES_OF_VIEWS, f"{name_of(path)}:{line} imports the page {page}"


@pytest.mark.parametrize("page", PAGES_OF_VIEWS)
def test_a_page_imports_no_other_page(page):
    for path in sorted((PACKAGE / "views" / page).rglob("*.py")):
        for line, name in imports(path):
            other = name.removeprefix("spikeviz.views.").split(".")[0] if name.startswith("spikeviz.views.") else page
            assert other == page or other not in PAGES_OF_VIEWS, f"{name_of(path)}:{line} imports the page {other}"


@pytest.mark.parametrize("path", APP, ids=name_of)
def test_pages_do_not_draw_or_compute_themselves(path):
    tops = {name.split(".")[0] for _, name in imports(path)}
    assert not tops & {*DRAWING, "torch", "spikingjelly", "einops"}, f"{name_of(path)} imports {sorted(tops)}"


def test_a_room_has_few_files():
    """Data and templates beside the code count as well."""
    folders = {path.parent for path in LIBRARY}
    many = {name_of(f): n for f in folders if (n := len([p for p in f.iterdir() if p.is_file()])) > MOST_FILES}
    assert not many


def test_every_page_is_a_value_and_three_lines():
    from spikeviz.views.page import FILES, find_page

    assert sorted(path.stem for path in PAGES) == sorted(FILES)
    for path in PAGES:
        page = find_page(path.stem)
        code = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert len(code) == 3 and code[-1] == "show(PAGE)" and page.file == path.stem
    assert len({find_page(file).key for file in FILES}) == len(FILES)


@pytest.mark.parametrize("path", [*LIBRARY, *APP, *SCRIPTS], ids=name_of)
def test_files_stay_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if path in PAGES:
        limit = 20
    elif path.parent == PACKAGE / "models" and path.stem not in ("__init__", "registry"):
        limit = 250
    else:
        limit = 350
    assert lines <= limit, f"{name_of(path)} has {lines} lines, {limit} are allowed"


@pytest.mark.parametrize("path", [*LIBRARY, *APP], ids=name_of)
def test_no_drawer_for_everything_and_no_print(path):
    assert path.stem not in ("utils", "common", "helpers", "misc")
    prints = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not prints or name_of(path) in COMMANDS, f"{name_of(path)} prints at {prints}"


def loaded_by(code: str) -> set[str]:
    """The top-level modules a fresh interpreter has loaded after `code`."""
    code += "\nimport sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


def test_importing_the_package_does_not_import_torch():
    heavy = {"torch", "spikingjelly", "streamlit", "plotly", "matplotlib", "pandas"}
    loaded = loaded_by("import spikeviz; dir(spikeviz); spikeviz.list_checkpoints; spikeviz.CheckpointCard")
    assert "spikeviz" in loaded and not loaded & heavy


def test_page_values_are_there_before_anything_heavy():
    """What the app imports before its first text: `torch` comes with the first forward pass."""
    heavy = {"torch", "spikingjelly", "streamlit", "plotly", "matplotlib", "pandas"}
    code = "from spikeviz.views.page import FILES, find_page; [find_page(file) for file in FILES]"
    assert not loaded_by(code) & heavy


def test_figures_need_no_streamlit():
    """Views, figures, reports and the notebook's door."""
    code = "import spikeviz as sv; sv.view('spike_maps', interventions=())[0].export('svg')"
    loaded = loaded_by(code)
    assert "matplotlib" in loaded and not loaded & {"streamlit", "plotly"}


def test_the_library_does_not_import_the_app():
    loaded = loaded_by(
        "import spikeviz as sv; [getattr(sv, name) for name in ('simulate', 'metrics', 'build', 'load')]"
    )
    assert "torch" in loaded and not loaded & {"streamlit", "plotly", "matplotlib"}


def test_every_public_name_is_there():
    import spikeviz as sv

    for name in sv.__all__:
        assert getattr(sv, name) is not None and name in dir(sv)
    with pytest.raises(AttributeError, match="has no attribute 'simulat'"):
        _ = sv.simulat
