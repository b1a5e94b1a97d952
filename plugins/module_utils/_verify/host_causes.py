# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The causes of failures while an agent is installed or configured on its host: a part of the list in ``causes.py``.

Each entry is word, side, summary, remedy and sign.
"""

from __future__ import annotations

HOST_CAUSES = (
    (
        "runtime_missing",
        "agent",
        "The Python that is to run the agent is missing, too old, or lacks pyOpenSSL.",
        "Install what the message names, or choose another Python.",
        "The message names the Python and what it lacks.",
    ),
    (
        "cryptography_missing",
        "agent",
        "The Python that makes or reads the certificate lacks the package cryptography.",
        "Install python3-cryptography, or use the Python that runs the agent.",
        "The message names the Python.",
    ),
    (
        "unsupported_platform",
        "agent",
        "The agent of this collection does not run on this system.",
        "Use the original Tentacle there; everything that only connects to it works.",
        "The message names the system.",
    ),
    (
        "bundle_incomplete",
        "caller",
        "The collection on the controller lacks parts of the agent.",
        "Install the collection again.",
        "The message names the file.",
    ),
    (
        "bundle_missing",
        "caller",
        "The agent's bundle did not arrive on the host.",
        "Run the module by its full name, so that its action plugin delivers the bundle.",
        "The message names the path.",
    ),
    (
        "bundle_invalid",
        "caller",
        "The file is no bundle of the agent, or a damaged one.",
        "Deliver it again; look for a full disk.",
        "The message says what is wrong with the file.",
    ),
    (
        "configuration_invalid",
        "agent",
        "The configuration of an instance, or a value for it, cannot be used.",
        "Correct the key that the message names.",
        "The message names the file and the key.",
    ),
    (
        "instance_invalid",
        "agent",
        "An instance is not as it has to be.",
        "Read the message: it says what to do next.",
        "The message names the instance.",
    ),
    (
        "instance_unknown",
        "caller",
        "Which instance is meant cannot be told, or there is none of that name.",
        "Name one of the instances that the message lists.",
        "The message lists the instances of the host.",
    ),
    (
        "instance_exists",
        "caller",
        "An instance of this name exists already, with another configuration file.",
        "Choose another name, or remove that instance first.",
        "The message names its configuration file.",
    ),
    (
        "instance_name_invalid",
        "caller",
        "This cannot be the name of an instance.",
        "Use letters, digits, blanks, dots, dashes and underscores.",
        "The message names it.",
    ),
    (
        "certificate_invalid",
        "caller",
        "A certificate or key cannot be read, made or written.",
        "Give a certificate with its private key, as PEM or PFX.",
        "The message names the file and what is wrong with it.",
    ),
    (
        "password_wrong",
        "caller",
        "The password does not open the file.",
        "Give the password that the file was made with.",
        "The message names the file.",
    ),
    (
        "thumbprint_invalid",
        "caller",
        "This is no thumbprint.",
        "Give 40 (SHA-1) or 64 (SHA-256) hexadecimal digits, or the certificate in PEM form.",
        "The message counts the digits.",
    ),
    (
        "file_missing",
        "caller",
        "A file that is needed is not there.",
        "Check the path on the host where the task runs.",
        "The message names the path.",
    ),
    (
        "account_missing",
        "caller",
        "There is no such user or group on the host.",
        "Create the account, or name another one.",
        "The message names it.",
    ),
    (
        "account_taken",
        "caller",
        "The account that is to be made for the agent exists already, made for something else.",
        "Name another account, or have the agent run as this one as it is.",
        "The message has its home and its group.",
    ),
    (
        "identity_present",
        "caller",
        "A host that is to become an image has an identity, which every copy would share.",
        "Have the identity removed, if this is the right host.",
        "The message has its thumbprint.",
    ),
    (
        "clock_wrong",
        "agent",
        "The host's clock and the controller's differ.",
        "Have both synchronised, or allow the difference.",
        "The message has both times.",
    ),
    (
        "storage_failed",
        "agent",
        "A file or directory of the agent cannot be read or written.",
        "Check rights, free space and mounts of the path that the message names.",
        "The message has the system's own words.",
    ),
    (
        "locked",
        "agent",
        "Another program changes the same instance.",
        "Wait for it, or find out whether one hangs.",
        "The message names the lock.",
    ),
    (
        "service_failed",
        "agent",
        "The agent's service cannot be installed, started or stopped.",
        "Read the message and the service's log.",
        "The message has the service manager's own words.",
    ),
    (
        "firewall_missing",
        "caller",
        "The firewall that was asked for is not installed on the host.",
        "Install it, or let the task use the one that is active.",
        "The message names the program that is not there.",
    ),
    (
        "firewall_failed",
        "agent",
        "The host's firewall could not be read or changed.",
        "Run the command that the message names by hand, as root.",
        "The message has the command and what it said.",
    ),
)
