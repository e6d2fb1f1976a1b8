"""What the `npu-compat` command does, one module for each subcommand; `cli.py` only reads arguments."""
