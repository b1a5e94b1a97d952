from __future__ import annotations

from module_utils._halibut import errors


def test_the_tree_is_the_one_that_is_drawn():
    assert issubclass(errors.LocalProtocolError, errors.HalibutError)
    assert issubclass(errors.RemoteProtocolError, errors.HalibutError)
    assert issubclass(errors.UnknownIdentity, errors.RemoteProtocolError)
    assert not issubclass(errors.LocalProtocolError, errors.RemoteProtocolError)
    drawn = [name for name in vars(errors) if name != "annotations" and name[0].isupper()]
    assert all(name in errors.__doc__ for name in drawn)


def test_only_unknown_identities_linger():
    assert not errors.RemoteProtocolError("x").linger
    assert errors.UnknownIdentity("x").linger
