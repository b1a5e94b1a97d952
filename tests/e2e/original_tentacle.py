"""An installation of the original Tentacle as its files look, encrypted by a program that is not ours."""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
from typing import Any

SERVER = "8C3466D3F3A4F8FDC9BAB1E38A7B4B6D0E9F207E"
POLLED = "0A1B2C3D4E5F60718293A4B5C6D7E8F901234567"
MACHINE_ID = "0123456789abcdef0123456789abcdef"
VECTOR = b"743677397A244326"


def encrypt(text: str, key: bytes = MACHINE_ID.encode(), vector: bytes = VECTOR) -> str:
    """What the machine's key makes of a text, by `openssl`: our reading meets another's writing."""
    command = ["openssl", "enc", "-aes-256-cbc", "-K", key.hex(), "-iv", vector.hex()]
    encrypted = subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout
    return base64.b64encode(encrypted).decode()


def write(folder: pathlib.Path, pfx: bytes, thumbprint: str, **values: Any) -> pathlib.Path:
    """`<folder>/octopus` with one instance "Tentacle", and `<folder>/machine-id`; returns its configuration file.

    `values` replace or add keys, written as the original spells them with `_` for `.`; None leaves one out.
    """
    home = folder / "octopus"
    path = home / "Tentacle" / "tentacle-Tentacle.config"
    (home / "Tentacle" / "Instances").mkdir(parents=True)
    (folder / "machine-id").write_text(MACHINE_ID + "\n")
    record = {"Name": "Tentacle", "ConfigurationFilePath": str(path)}
    (home / "Tentacle" / "Instances" / "tentacle.config").write_text(json.dumps(record))
    trusted = [
        {"Thumbprint": SERVER, "CommunicationStyle": 1, "Address": None, "Squid": None, "SubscriptionId": None},
        {"Thumbprint": POLLED, "CommunicationStyle": 2, "Address": "https://octopus.example:10943/",
         "Squid": None, "SubscriptionId": "poll://abc/"},
    ]
    settings: dict[str, Any] = {
        "Octopus_Home": str(folder / "home"),
        "Tentacle_Certificate": encrypt(base64.b64encode(pfx).decode()),
        "Tentacle_CertificateThumbprint": thumbprint,
        "Tentacle_Communication_TrustedOctopusServers": json.dumps(trusted, separators=(",", ":")),
        "Tentacle_Deployment_ApplicationDirectory": str(folder / "apps"),
        "Tentacle_Services_IsRegistered": "true",
        "Tentacle_Services_ListenIP": "",
        "Tentacle_Services_NoListen": "false",
        "Tentacle_Services_PortNumber": "10955",
        **values,
    }
    lines = [
        f'  <set key="{key.replace("_", ".")}">{value}</set>'
        for key, value in sorted(settings.items())
        if value is not None
    ]
    namespaces = 'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    text = '<?xml version="1.0" encoding="utf-8"?>\n' + f"<octopus-settings {namespaces}>\n"
    path.write_bytes(b"\xef\xbb\xbf" + (text + "\n".join(lines) + "\n</octopus-settings>").encode())
    return path
