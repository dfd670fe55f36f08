"""`python -m referral_bus` is the `referral-bus` command.

The command line is in `deploy.app`, which this package must not import. So this module runs it by name.
"""

import runpy

runpy.run_module("deploy.app", run_name="__main__", alter_sys=True)
