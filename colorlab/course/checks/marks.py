"""Little files for the tester of exercise 10.7: marked, not marked, and what misleads a reader."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from colorlab.course.checks.exercise import NotYet, call, describe

TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MADE = f"{TERMS}algorithmicallyEnhanced"
AUTHOR = "<dc:creator>Anna</dc:creator>"
CAMERA, TRAINED, FORMULA = (
    f"<Iptc4xmpExt:DigitalSourceType>{TERMS}{term}</Iptc4xmpExt:DigitalSourceType>"
    for term in ("digitalCapture", "trainedAlgorithmicMedia", "algorithmicMedia")
)
TOOL = "<xmp:CreatorTool>colorlab</xmp:CreatorTool>"
TITLE = "<dc:title>How a network is trained and made</dc:title>"

Reader = Callable[[Path], bool]


@dataclass(frozen=True)
class Recipe:
    """What a little file is made of.

    name: the file's; what: the same in words; made: whether the library marks it; xmp: what its XMP
    held before; software: of its EXIF; comment: of a JPEG, or a text of a PNG; before_a_copy:
    whether a marked copy follows in the same file.
    """

    name: str
    what: str
    made: bool = False
    xmp: str = ""
    software: str = ""
    comment: str = ""
    before_a_copy: bool = False


FILES = (
    Recipe("bee.jpg", "a JPEG that the library has colored", True),
    Recipe("fox.png", "a PNG that the library has colored", True),
    Recipe("owl.webp", "a WebP that the library has colored", True),
    Recipe("anna.jpg", "a colored JPEG whose photo had XMP of its own", True, AUTHOR + CAMERA),
    Recipe("scan.jpg", "a colored PNG that was renamed to .jpg", True),
    Recipe("street-colored.jpg", 'a photo that is called "colored"'),
    Recipe("author.jpg", "a photo whose XMP names its author", xmp=AUTHOR),
    Recipe(
        "camera.png", "a photo whose XMP says that a camera took it", False, CAMERA, "Camera 2.1"
    ),
    Recipe("dream.jpg", "a picture whose XMP says that a model made all of it", xmp=TRAINED),
    Recipe("fractal.png", "a picture whose XMP says that a formula made all of it", xmp=FORMULA),
    Recipe("tool.jpg", "a photo whose XMP names colorlab as a tool", xmp=TOOL),
    Recipe("title.jpg", "a photo whose XMP has a title with the word trained", xmp=TITLE),
    Recipe(
        "software.jpg", "a photo whose EXIF names colorlab as software", software="colorlab 1.0"
    ),
    Recipe("comment.jpg", "a photo that has the term in a comment only", comment=MADE),
    Recipe("text.png", "a photo that has the term in a text chunk only", comment=MADE),
    Recipe("pair.jpg", "a photo that a colored copy follows in the same file", before_a_copy=True),
    Recipe("plain.webp", "a photo without any XMP"),
)


@dataclass(frozen=True)
class LittleFile:
    """A picture's file, what it is in words, and whether it is marked."""

    path: Path
    what: str
    made: bool


@contextmanager
def little_files() -> Iterator[Sequence[LittleFile]]:
    """One file for each of FILES, in a folder that is gone afterwards."""
    from colorlab.photos.carried import Carried
    from colorlab.photos.writing import encode

    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for one in FILES:
            exif = Image.Exif()
            exif[305] = one.software
            held = Carried(
                xmp=_packet(one.xmp),
                exif=exif if one.software else None,
                comment=one.comment.encode(),
            )
            suffix = ".png" if "renamed" in one.what else Path(one.name).suffix
            content = bytes(encode(picture, suffix, held, mark=one.made)[0])
            if one.before_a_copy:
                content += encode(picture, suffix, held, mark=True)[0]
            path = Path(folder, one.name)
            path.write_bytes(content)
            found.append(LittleFile(path, one.what, one.made))
        yield found


def _packet(about: str) -> bytes:
    if not about:
        return b""
    names = (
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    )
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {names}>{about}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def answers(is_made: Any, files: Sequence[LittleFile]) -> tuple[bool, ...]:
    """What `is_made` says of each file; raises `NotYet` where that is no True and no False."""
    found = []
    for file in files:
        try:
            answer = call(is_made, file.path)
        except KeyError as error:
            raise NotYet(
                f"{file.what[:1].upper()}{file.what[1:]} ends in KeyError: {error}.",
                "Not every file has each entry. What does .get do where one is missing?",
            ) from None
        if not isinstance(answer, bool | np.bool_):
            raise NotYet(
                f"True or False was expected; it is {describe(answer)}.",
                "`in` answers such a question, and a comparison does.",
            )
        found.append(bool(answer))
    return tuple(found)


def readers() -> Sequence[tuple[Reader, str, str]]:
    """Wrong ways to tell, each with its mistake and its advice."""

    def has(words: str, key: str = "xmp") -> Reader:
        return lambda path: words in _xmp(path, key)

    return (
        (
            lambda path: "color" in path.name,
            "The file's name decides.",
            "Whoever passes a picture on can rename it. What stays with it?",
        ),
        (
            lambda path: True,
            "Every file counts as marked.",
            "Compare a file that the library has written with a photo of your camera.",
        ),
        (
            lambda path: False,
            "No file counts as marked.",
            "Print the XMP of a file that the library has written. Do your words stand in it, "
            "letter by letter?",
        ),
        (
            lambda path: MADE not in _xmp(path),
            "The answers are turned round.",
            "What does True mean, says the docstring?",
        ),
        (
            lambda path: bool(_xmp(path)),
            "Any XMP counts as a mark.",
            "Cameras write XMP too. What does ours say that theirs does not?",
        ),
        *(
            (
                has(words),
                "Any source counts, a camera too.",
                "The IPTC has a list of sources. Which of its terms does the library write?",
            )
            for words in ("DigitalSourceType", "digitalsourcetype", TERMS)
        ),
        *(
            (
                has(words),
                "Any algorithm counts, one that has made the whole picture too.",
                "The IPTC has several terms with that word. Which one does the library write?",
            )
            for words in ("lgorithmic", "algorithmic")
        ),
        (
            lambda path: MADE.encode() in path.read_bytes(),
            "The whole file is searched.",
            "A file may hold a second picture, comments and texts. Which part of it does the "
            "docstring ask for?",
        ),
        (
            lambda path: MADE in _info(path),
            "All of image.info is searched.",
            "A comment may hold any words. Which entry of it does the docstring ask for?",
        ),
        (
            lambda path: bool(_software(path)),
            "EXIF's Software decides.",
            "It names the last program that has saved the file. Where does the docstring look?",
        ),
        *(
            (
                reader,
                "The name colorlab is looked for.",
                "Other programs color photos too, and ours does more than coloring. Which term do "
                "they share?",
            )
            for reader in (
                has("colorlab"),
                lambda path: b"colorlab" in path.read_bytes(),
                lambda path: "colorlab" in _software(path),
            )
        ),
        *(
            (
                reader,
                "A word such as trained or made is looked for.",
                "A title may hold any word. Which text would nobody write by chance?",
            )
            for word in ("trained", "made", "network")
            for reader in (has(word), lambda path, word=word: word.encode() in path.read_bytes())
        ),
        (
            has(MADE, "XML:com.adobe.xmp"),
            "Only PNG files are ever marked.",
            "Print image.info of a JPEG. Under which key does its XMP stand?",
        ),
        *(
            (
                lambda path, some=some: path.suffix in some and MADE in _xmp(path),
                f"Files that are not {' or '.join(some)} are never marked.",
                "The docstring names three formats.",
            )
            for some in ((".jpg",), (".jpg", ".png"), (".png", ".webp"), (".jpg", ".webp"))
        ),
    )


def _xmp(path: Path, key: str = "xmp") -> str:
    """The XMP of a picture, under this key of Pillow's; "" where it has none."""
    with Image.open(path) as image:
        image.load()
        found = image.info.get(key, "")
    return found.decode() if isinstance(found, bytes) else found


def _info(path: Path) -> str:
    with Image.open(path) as image:
        image.load()
        return str(image.info)


def _software(path: Path) -> str:
    with Image.open(path) as image:
        return image.getexif().get(305, "")
