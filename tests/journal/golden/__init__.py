"""A store of every format ever released, each made by the `make.py` of its day and never changed since."""
