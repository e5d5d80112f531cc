"""Certificates from the command line: stores get one where they are named, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from tools.certificates import HOLDERS, STORES, main


def names_in(folder: Path) -> list[str]:
    certificate = x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return list(names.get_values_for_type(x509.DNSName))


def test_stores_that_are_named_get_a_certificate_of_the_same_authority(tmp_path):
    """Clients of PostgreSQL and Redis compare the name, and believe the authority that they know already."""
    main([str(tmp_path), *STORES])

    for store in STORES:
        assert names_in(tmp_path / store) == [f"{store}.razvilka.internal"]
        assert (tmp_path / store / "ca.crt").read_bytes() == (tmp_path / "auth" / "ca.crt").read_bytes()


def test_without_a_store_there_are_the_services_and_the_operator(tmp_path):
    """As `make up` and docker-compose.yml make them."""
    main([str(tmp_path)])

    assert {each.name for each in tmp_path.iterdir()} == {*HOLDERS, "authority"}


def test_what_is_no_store_is_refused_by_its_name(tmp_path, capsys):
    """Exit status 2, and nothing is written."""
    with pytest.raises(SystemExit) as refused:
        main([str(tmp_path), "mongo"])

    assert refused.value.code == 2
    assert "mongo is no store of ours: postgres or redis" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
