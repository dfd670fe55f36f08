"""`python -m referral_bus` is the `referral-bus` command.

The command line stands above this package, which imports nothing from it. So it is run by its name, as a user would.
"""

import runpy

runpy.run_module("deploy.app", run_name="__main__", alter_sys=True)
