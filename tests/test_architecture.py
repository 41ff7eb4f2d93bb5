"""Theory and experiment never import each other: that makes their agreement evidence."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sgdnotes"
MODULES = sorted(f.stem for f in PACKAGE.glob("*.py") if f.stem != "__init__")
THEORY = {"chain", "density", "escape", "passage", "stationary"}
EXPERIMENT = {"noise", "dynamics", "simulate", "estimate"}
SHARED = {"checks", "losses", "claims", "figures"}

FIXED = {
    "losses.Loss": ["expr", "symbols"],
    "stationary.gibbs_density": ["loss", "temperature"],
    "stationary.sde_covariance": ["hessian", "noise_covariance", "learning_rate"],
    "stationary.sgd_covariance": [
        "hessian", "noise_covariance", "learning_rate", "batch_size", "momentum",
    ],
    "stationary.circulation": ["hessian", "noise_covariance", "learning_rate"],
    "escape.kramers_rate": ["loss", "minimum", "barrier", "temperature"],
    "escape.mean_first_passage_time": ["loss", "start", "absorb", "temperature"],
    "escape.escape_rate": ["loss", "absorb", "temperature"],
    "escape.two_temperature_rate": [
        "loss", "minimum", "split", "barrier", "temperature_minimum", "temperature_barrier",
        "calculus",
    ],
    "simulate.simulate": ["dynamics", "loss", "noise", "start", "chains", "steps", "rng"],
    "estimate.Estimate": ["value", "standard_error"],
    "claims.claim": ["id"],
}  # fmt: skip
METHODS = {
    "losses.Loss.value": ["x"],
    "losses.Loss.gradient": ["x"],
    "losses.Loss.hessian": ["x"],
    "estimate.Estimate.z": ["expected"],
    "claims.Claim.exact": ["lhs", "rhs", "printed"],
    "claims.Claim.measured": ["estimate", "expected", "printed"],
}
DEFAULTS = {
    "stationary.sgd_covariance": {"batch_size": 1, "momentum": 0.0},
    "escape.two_temperature_rate": {"calculus": "ito"},
}


def imports(module):
    """The modules of the package that one module imports, anywhere in its text."""
    found = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text("utf8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = f"sgdnotes.{base}".rstrip(".")
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        found |= {n.split(".")[1] for n in names if n.startswith("sgdnotes.")}
    return found & set(MODULES)


def reach(module):
    """What a module imports, and what that imports, to the end."""
    seen, ahead = set(), {module}
    while ahead:
        ahead = {n for m in ahead for n in imports(m)} - seen
        seen |= ahead
    return seen


def find(path):
    module, *names = path.split(".")
    found = importlib.import_module(f"sgdnotes.{module}")
    for name in names:
        found = getattr(found, name)
    return found


def existing(table):
    return [path for path in table if path.split(".")[0] in MODULES]


@pytest.mark.parametrize("module", sorted(THEORY & set(MODULES)))
def test_theory_never_imports_experiment(module):
    assert not reach(module) & EXPERIMENT


@pytest.mark.parametrize("module", sorted(EXPERIMENT & set(MODULES)))
def test_experiment_never_imports_theory(module):
    assert not reach(module) & THEORY


def test_every_module_stands_on_a_known_side():
    assert set(MODULES) <= THEORY | EXPERIMENT | {"checks", "losses", "claims", "figures"}


def test_losses_imports_neither_wing():
    assert not reach("losses") & (THEORY | EXPERIMENT)


def test_claims_and_figures_import_no_theory():
    assert not (reach("claims") | reach("figures")) & THEORY


def test_the_package_itself_imports_no_module():
    assert not imports("__init__")


def test_the_import_reader_sees_every_form_of_import(tmp_path, monkeypatch):
    text = (
        "import sgdnotes.noise as n\n"
        "from sgdnotes import estimate\n"
        "from sgdnotes.losses import Loss\n"
        "def late():\n    from . import dynamics\n    from .simulate import Run\n"
    )
    (tmp_path / "probe.py").write_text(text)
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    assert imports("probe") == {"noise", "estimate", "losses", "dynamics", "simulate"}


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


@pytest.mark.parametrize("path", existing(FIXED))
def test_fixed_names_exist_with_their_parameters_in_order(path):
    parameters = inspect.signature(find(path)).parameters
    assert list(parameters)[: len(FIXED[path])] == FIXED[path]
    for name, default in DEFAULTS.get(path, {}).items():
        assert parameters[name].default == default


@pytest.mark.parametrize("path", existing(METHODS))
def test_fixed_methods_exist_with_their_parameters_in_order(path):
    parameters = list(inspect.signature(find(path)).parameters)[1:]
    assert parameters[: len(METHODS[path])] == METHODS[path]


def test_a_run_is_told_its_numbers_by_name():
    parameters = inspect.signature(find("simulate.simulate")).parameters
    for name in ("start", "chains", "steps", "rng"):
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default is inspect.Parameter.empty


@pytest.mark.parametrize("module", MODULES)
def test_a_module_can_be_read_in_one_sitting(module):
    assert len((PACKAGE / f"{module}.py").read_text("utf8").splitlines()) <= 320
