"""Imports what chapters and their kernels need, in the process that kernels are forked from."""

import gc
import sys
from contextlib import suppress
from importlib import import_module

# Not Matplotlib's inline backend: it sets up the kernel in which it is first imported.
NEEDED = [
    "contourpy",
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "IPython.core.debugger",
    "matplotlib.backends.backend_svg",
    "matplotlib.pyplot",
    "scipy.integrate",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.stats",
    "sgdnotes.claims",
    "sgdnotes.experiment",
    "sgdnotes.losses",
    "sgdnotes.theory",
    "sklearn.datasets",
    "sqlite3",
    "sympy.codegen.scipy_nodes",
    "sympy.integrals.risch",
    "sympy.physics.units",
    "tornado.platform.asyncio",
]

gc.disable()  # what is imported stays, and to look for garbage takes a seventh of the time
sys.modules["debugpy"] = None  # nobody debugs a build
for name in NEEDED:
    with suppress(ImportError):  # a chapter that needs it will say so
        import_module(name)
gc.freeze()
gc.enable()
