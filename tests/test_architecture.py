"""Theory and experiment never import each other: that makes their agreement evidence."""

import ast
import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sgdnotes"
WINGS = ("theory", "experiment")
SHARED = {"checks", "compiled", "losses", "symbolic", "claims", "figures", "network"}


def dotted(file):
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


MODULES = sorted(dotted(f) for f in PACKAGE.rglob("*.py") if f.stem != "__init__")


FIXED = {
    "losses.Loss": ["expr", "symbols"],
    "theory.stationary.gibbs_density": ["loss", "temperature"],
    "theory.stationary.sde_covariance": ["hessian", "noise_covariance", "learning_rate"],
    "theory.stationary.sgd_covariance": [
        "hessian", "noise_covariance", "learning_rate", "batch_size", "momentum",
    ],
    "theory.stationary.circulation": ["hessian", "noise_covariance", "learning_rate"],
    "theory.escape.kramers_rate": ["loss", "minimum", "barrier", "temperature"],
    "theory.escape.mean_first_passage_time": ["loss", "start", "absorb", "temperature"],
    "theory.escape.escape_rate": ["loss", "absorb", "temperature"],
    "theory.escape.two_temperature_rate": [
        "loss", "minimum", "split", "barrier", "temperature_minimum", "temperature_barrier",
        "calculus",
    ],
    "experiment.simulate.simulate": [
        "dynamics", "loss", "noise", "start", "chains", "steps", "rng",
    ],
    "experiment.estimate.Estimate": ["value", "standard_error"],
    "claims.claim": ["id"],
}  # fmt: skip
METHODS = {
    "losses.Loss.value": ["x"],
    "losses.Loss.gradient": ["x"],
    "losses.Loss.hessian": ["x"],
    "experiment.estimate.Estimate.z": ["expected"],
    "claims.Claim.exact": ["lhs", "rhs", "printed"],
    "claims.Claim.measured": ["estimate", "expected", "printed"],
}
DEFAULTS = {
    "theory.stationary.sgd_covariance": {"batch_size": 1, "momentum": 0.0},
    "theory.escape.two_temperature_rate": {"calculus": "ito"},
}


def source(module):
    file = PACKAGE.joinpath(*module.split("."))
    return (file / "__init__.py" if file.is_dir() else file.with_suffix(".py")).read_text("utf8")


def imports(module):
    """The modules of the package that one module or wing imports, anywhere in its text.

    To import from a wing itself is to import all of it, and stands as the wing's name.
    """
    here = ["sgdnotes", *module.split(".")]
    if not (PACKAGE.joinpath(*module.split("."))).is_dir():
        here.pop()
    found = set()
    for node in ast.walk(ast.parse(source(module))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*here[: len(here) - node.level + 1], *filter(None, [base])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        found |= {n.removeprefix("sgdnotes.") for n in names}
    return found & {*MODULES, *WINGS} - {module}


def reach(module):
    """What a module imports, and what that imports, to the end."""
    seen, ahead = set(), {module}
    while ahead:
        ahead = {n for m in ahead for n in imports(m)} - seen
        seen |= ahead
    return seen


def reached_wings(module):
    return {name.split(".")[0] for name in reach(module)} & set(WINGS)


def find(path):
    """The module, or what stands in it, under a dotted name."""
    module = next(
        m for m in sorted(MODULES, key=len, reverse=True) if f"{path}.".startswith(f"{m}.")
    )
    # A wing's own name may hide a module's, as `simulate` does.
    importlib.import_module(f"sgdnotes.{module}")
    found = sys.modules[f"sgdnotes.{module}"]
    for name in path[len(module) + 1 :].split("."):
        found = getattr(found, name) if name else found
    return found


def wing(name):
    return [m for m in MODULES if m.startswith(f"{name}.")]


@pytest.mark.parametrize("module", wing("theory"))
def test_theory_never_imports_experiment(module):
    assert "experiment" not in reached_wings(module)


@pytest.mark.parametrize("module", wing("experiment"))
def test_experiment_never_imports_theory(module):
    assert "theory" not in reached_wings(module)


def test_every_module_stands_in_a_wing_or_is_shared():
    assert set(MODULES) == {*wing("theory"), *wing("experiment"), *SHARED}


@pytest.mark.parametrize("module", ["losses", "network"])
def test_losses_imports_neither_wing(module):
    assert not reached_wings(module)


def test_claims_and_figures_import_no_theory():
    assert "theory" not in reached_wings("claims") | reached_wings("figures")


def test_the_package_itself_imports_no_module():
    assert not re.search(r"^\s*(from|import)\b", (PACKAGE / "__init__.py").read_text("utf8"), re.M)


@pytest.mark.parametrize("name", WINGS)
def test_a_wing_names_public_things_of_its_own_modules_and_nothing_else(name):
    body = ast.parse(source(name)).body
    assert all(isinstance(node, ast.Expr | ast.ImportFrom | ast.Assign) for node in body)
    wing_, own = importlib.import_module(f"sgdnotes.{name}"), wing(name)
    imported = set()
    for node in body:
        if isinstance(node, ast.ImportFrom):
            home = node.module.removeprefix("sgdnotes.")
            names = {alias.name for alias in node.names}
            assert home in own or (home == name and {f"{name}.{n}" for n in names} <= set(own))
            assert home == name or names <= set(find(home).__all__)
            imported |= names
    assert imported == set(wing_.__all__)


def test_the_import_reader_sees_every_form_of_import(tmp_path, monkeypatch):
    text = (
        "import sgdnotes.experiment.noise as n\n"
        "from sgdnotes.experiment import estimate\n"
        "from sgdnotes.losses import Loss\n"
        "def late():\n    from . import passage\n    from ..experiment.simulate import Run\n"
    )
    (tmp_path / "theory").mkdir()
    (tmp_path / "theory" / "probe.py").write_text(text)
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    assert imports("theory.probe") == {
        "experiment", "experiment.noise", "experiment.estimate", "losses", "theory",
        "theory.passage", "experiment.simulate",
    }  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_exists_and_has_a_docstring(module):
    found = find(module)
    assert inspect.getdoc(found)
    for name in found.__all__:
        public = getattr(found, name)
        if not inspect.isclass(public) and not inspect.isfunction(public):
            continue
        assert public.__doc__, f"{module}.{name} has no docstring"
        if inspect.isclass(public):
            for method, body in vars(public).items():
                if inspect.isfunction(body) and not method.startswith("_"):
                    assert body.__doc__, f"{module}.{name}.{method} has no docstring"


@pytest.mark.parametrize("module", MODULES)
def test_every_public_function_is_named_in_all(module):
    found = find(module)
    own = {
        name
        for name, value in vars(found).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == found.__name__
    }
    assert own <= set(found.__all__)


@pytest.mark.parametrize("path", FIXED)
def test_fixed_names_exist_with_their_parameters_in_order(path):
    parameters = inspect.signature(find(path)).parameters
    assert list(parameters)[: len(FIXED[path])] == FIXED[path]
    for name, default in DEFAULTS.get(path, {}).items():
        assert parameters[name].default == default


@pytest.mark.parametrize("path", METHODS)
def test_fixed_methods_exist_with_their_parameters_in_order(path):
    parameters = list(inspect.signature(find(path)).parameters)[1:]
    assert parameters[: len(METHODS[path])] == METHODS[path]


def test_a_run_is_told_its_numbers_by_name():
    parameters = inspect.signature(find("experiment.simulate.simulate")).parameters
    for name in ("start", "chains", "steps", "rng"):
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default is inspect.Parameter.empty


@pytest.mark.parametrize("module", MODULES)
def test_a_module_can_be_read_in_one_sitting(module):
    assert len(source(module).splitlines()) <= 320
