"""XMP, the XML that tells of a photo: looked over, set upright, and marked as colored.

It is changed where it must be and nowhere else, as text: a parser would rename its prefixes.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
_X, _RDF = "adobe:ns:meta/", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_SOURCE = rb"Iptc4xmpExt:DigitalSourceType"


def sound(xmp: bytes) -> bytes | None:
    """XMP without an orientation, as the picture stands upright by then; None: it is broken."""
    xmp = xmp.rstrip(b"\0")
    try:
        if b"<!ENTITY" in xmp:
            return None
        ElementTree.fromstring(xmp)
    except (ElementTree.ParseError, ValueError):
        return None
    return re.sub(rb"""(tiff:Orientation(?:=["']|>))[0-9]""", rb"\g<1>1", xmp)


def marked(xmp: bytes) -> bytes:
    """XMP that says that the colors are made (IPTC Extension, DigitalSourceType)."""
    new = f"<Iptc4xmpExt:DigitalSourceType>{MADE}</Iptc4xmpExt:DigitalSourceType>"
    about = re.search(rb"""rdf:about=("[^"]*"|'[^']*')""", xmp)
    described = (
        f"<rdf:Description rdf:about={about[1].decode() if about else chr(34) * 2} "
        f'xmlns:Iptc4xmpExt="{_IPTC}">{new}</rdf:Description>'
    ).encode()
    end = xmp.rfind(b"</rdf:RDF>")
    if end < 0:
        return (
            b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
            + f'<x:xmpmeta xmlns:x="{_X}"><rdf:RDF xmlns:rdf="{_RDF}">'.encode()
            + described
            + b'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
        )
    others = re.sub(
        rb"<" + _SOURCE + rb"\b.*?(/>|</" + _SOURCE + rb">)", b"", xmp[:end], flags=re.DOTALL
    )
    others = re.sub(rb"\s" + _SOURCE + rb"""=("[^"]*"|'[^']*')""", b"", others)
    return others + described + xmp[end:]
