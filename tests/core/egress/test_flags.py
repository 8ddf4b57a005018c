"""The proxy and the extra certificates, as a program is started with them."""

import argparse
from pathlib import Path

import certifi
import pytest

from fakes.tls_engine import AUTHORITY as CA
from steelyard.egress import flags, trust
from steelyard.egress.proxies import DIRECT, Egress


def parsed(*words: str, **environment: str) -> Egress:
    parser = argparse.ArgumentParser(prog="program")
    flags.add_arguments(parser, environment)
    return flags.read(parser.parse_args(words))


def test_without_any_of_them_everything_is_reached_directly() -> None:
    assert parsed() == DIRECT


def test_the_variables_are_those_that_every_program_knows_and_small_letters_win() -> None:
    capital = parsed(HTTPS_PROXY="http://one:1", NO_PROXY="a.test")
    small = parsed(HTTPS_PROXY="http://one:1", https_proxy="http://two:2", NO_PROXY="a", no_proxy="b")
    off = parsed(HTTPS_PROXY="http://one:1", https_proxy="")

    assert (str(capital.proxy), capital.no_proxy) == ("one:1", "a.test")
    assert (str(small.proxy), small.no_proxy) == ("two:2", "b")
    assert off == DIRECT


def test_a_flag_wins_over_the_variable() -> None:
    assert str(parsed("--https-proxy=http://three:3", HTTPS_PROXY="http://one:1").proxy) == "three:3"


def test_a_url_that_is_none_ends_the_program_without_being_quoted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parsed(HTTPS_PROXY="socks5://me:secret@proxy.test")

    told = capsys.readouterr().err
    assert "HTTPS_PROXY names no proxy: its scheme is not http" in told
    assert "secret" not in told


def test_a_bundle_is_read_without_what_else_stands_in_its_file(tmp_path: Path) -> None:
    (file := tmp_path / "ca.pem").write_text(f"# Ours, größer\n{CA}\nbetween\n{CA}")

    assert parsed("--ca-bundle", str(file)).ca_pem == CA * 2
    assert parsed(STEELYARD_CA_BUNDLE=str(file)).ca_pem == CA * 2


BROKEN = "-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
WRONG = {
    "holds no PEM certificate": "nothing",
    "holds a PEM certificate that is broken": BROKEN,
    f"of certificates, more than {trust.MOST_BYTES}": CA * (trust.MOST_BYTES // len(CA) + 1),
}


@pytest.mark.parametrize("complaint", WRONG)
def test_a_bundle_that_cannot_be_used_ends_the_program(
    complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "ca.pem").write_text(WRONG[complaint])
    with pytest.raises(SystemExit):
        parsed(STEELYARD_CA_BUNDLE=str(file))

    told = capsys.readouterr().err
    assert f"argument --ca-bundle: {file} holds" in told
    assert complaint in told


def test_a_bundle_that_is_not_there_ends_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parsed("--ca-bundle", str(tmp_path / "none"))
    assert f"argument --ca-bundle: {tmp_path}/none cannot be read: No such file" in capsys.readouterr().err


def test_all_authorities_that_browsers_trust_fit_into_a_bundle() -> None:
    assert trust.bundle(certifi.where()).count("BEGIN") == certifi.contents().count("BEGIN") > 100


def test_extra_certificates_are_trusted_beside_the_systems_and_not_beside_a_named_authority() -> None:
    system = trust.context(None, "").get_ca_certs(binary_form=True)
    (own,) = trust.context(CA, "").get_ca_certs(binary_form=True)

    assert {*trust.context(None, CA).get_ca_certs(binary_form=True)} == {*system, own}
    assert trust.context(CA, certifi.contents()).get_ca_certs(binary_form=True) == [own]
