"""What `gateway doctor` does: looks at everything that an installation gets wrong, and changes nothing.

Each check gathers facts (`world`, `talk`, `wire`, `service`, `files`), judges them with a small pure function, and gives
outcomes: what was found, and how to mend it. `examine` runs all of them at once, each within a time of its own.
"""
