"""`python -m galv_ops` is `galv-ops`."""

from galv_ops.cli import galv_ops

if __name__ == "__main__":
    galv_ops(prog_name="galv-ops")
