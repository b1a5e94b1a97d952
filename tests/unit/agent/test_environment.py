"""The variables that Calamari and health checks look for."""

from __future__ import annotations

import os
import subprocess
import sys
import types

from module_utils._instance.proxy import Proxy
from tentacle_agent import environment


def configuration(**changes: object) -> types.SimpleNamespace:
    values = {"instance": "web", "home_directory": "/home/t", "application_directory": "/apps",
              "reported_version": "9.2.4285", "proxy": Proxy(), **changes}
    return types.SimpleNamespace(**values)


def test_names_and_values_are_the_originals() -> None:
    variables = environment.build(configuration(), "/opt/a/tentacle-agent", "/opt/a", "sha256RSA")
    assert variables.pop("TentacleNetFrameworkDescription")
    assert variables.pop("TentacleAgentVersion")
    assert variables == {
        "TentacleHome": "/home/t",
        "TentacleApplications": "/apps",
        "TentacleJournal": "/home/t/DeploymentJournal.xml",
        "CalamariPackageRetentionJournalPath": "/home/t/PackageRetentionJournal.json",
        "TentacleInstanceName": "web",
        "TentacleVersion": "9.2.4285",
        "TentacleExecutablePath": "/opt/a/tentacle-agent",
        "TentacleProgramDirectoryPath": "/opt/a",
        "AgentProgramDirectoryPath": "/opt/a",
        "TentacleCertificateSignatureAlgorithm": "sha256RSA",
        "TentacleUseDefaultProxy": "True",
        "TentacleProxyPort": "80",
    }


def test_what_has_no_value_is_absent() -> None:
    variables = environment.build(configuration(instance=None, home_directory=""), "x", "y", None)
    assert "TentacleInstanceName" not in variables
    assert "TentacleCertificateSignatureAlgorithm" not in variables
    assert variables["TentacleHome"] == "."


def test_a_custom_proxy_is_passed_on() -> None:
    proxy = Proxy(use_default=False, host="proxy", port=3128, username="u")
    variables = environment.build(configuration(proxy=proxy), "x", "y", None, "p")
    assert [variables[f"Tentacle{name}"] for name in
            ("UseDefaultProxy", "ProxyHost", "ProxyPort", "ProxyUsername", "ProxyPassword")] == [
        "False", "proxy", "3128", "u", "p"]


def test_a_locale_that_python_made_up_is_not_passed_on() -> None:
    code = "from tentacle_agent.environment import inherited; import os; print(os.environ['LC_CTYPE'], inherited())"
    path = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", code]
    for given in ({}, {"LC_CTYPE": "C.UTF-8"}):
        environment = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **given}
        printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert printed.startswith("C.UTF-8 ")
        assert ("'LC_CTYPE'" in printed) == bool(given)


def test_scripts_inherit_but_not_what_is_for_the_agent() -> None:
    inherited = {"PATH": "/bin", "NOTIFY_SOCKET": "/run/x", "LISTEN_FDS": "3", "TentacleHome": "old"}
    assert environment.for_scripts(inherited, {"TentacleHome": "new"}) == {"PATH": "/bin", "TentacleHome": "new"}
