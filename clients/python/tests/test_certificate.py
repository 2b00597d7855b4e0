"""What is read from certificates: those in ``tests/certificates``, and parts of them."""

import hashlib
import ssl
import unittest
from pathlib import Path

from halloo._certificate import fingerprints, names

CERTIFICATES = Path(__file__).resolve().parents[3] / "tests" / "certificates"


def certificate(name: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert((CERTIFICATES / name).read_text())


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes([tag, len(content)]) + content


class CertificateTest(unittest.TestCase):
    def test_names_are_the_alternative_ones_else_the_common_one(self) -> None:
        self.assertEqual(names(certificate("expired.pem")), ["localhost", "127.0.0.1"])
        common = der(0x31, der(0x30, der(0x06, bytes.fromhex("550403")), der(0x0C, b"den.local")))
        fields = [der(0x02, b"\x01"), der(0x30), der(0x30), der(0x30), der(0x30, common), der(0x30, b"\x05\x00")]
        self.assertEqual(names(der(0x30, der(0x30, *fields))), ["den.local"])

    def test_fingerprints_are_those_of_the_key_and_of_the_certificate(self) -> None:
        expired, future = certificate("expired.pem"), certificate("future.pem")
        self.assertEqual(fingerprints(expired)[1], hashlib.sha256(expired).digest())
        # Both are of the same key.
        self.assertEqual(fingerprints(expired)[0].hex(), "49655c7bf2e785874d3fc81a0bfe69f5fa9df0061fb5c1a3127e94b41d13ef35")
        self.assertEqual(fingerprints(future)[0], fingerprints(expired)[0])

    def test_what_is_no_certificate_has_no_names(self) -> None:
        whole = certificate("expired.pem")
        for size in range(len(whole)):
            fingerprints(whole[:size])
            self.assertEqual(names(whole[:size]), [])
        for at in range(len(whole)):
            damaged = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
            fingerprints(damaged)
            names(damaged)


if __name__ == "__main__":
    unittest.main()
