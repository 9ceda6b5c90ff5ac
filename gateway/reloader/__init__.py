"""The live part of the settings: reads policies/, checks it, swaps one immutable PolicySet, keeps the old one on any error."""

from gateway.reloader.directory import read_directory
from gateway.reloader.generations import Generations
from gateway.reloader.inspection import inspect
from gateway.reloader.reloader import PolicyError, Reloader
from gateway.reloader.rollback import kept, roll_back

__all__ = ["Generations", "PolicyError", "Reloader", "inspect", "kept", "read_directory", "roll_back"]
