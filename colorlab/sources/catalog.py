"""The named sources of photos: what each is, where it comes from, and under which license.

What could not be established is None, and printed as unknown: the set's page says it, and what the
server says of the size when a download begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

UNKNOWN = "unknown, see the page"


@dataclass(frozen=True)
class PublicFile:
    """An archive that anybody may fetch, and what it is known by.

    Attributes:
        url: its address.
        page: the page of the set.
        bytes: its exact size.
        md5: the MD5 of its first 2**20 bytes only, in hexadecimal.
    """

    url: str
    page: str
    bytes: int
    md5: str


@dataclass(frozen=True)
class Source:
    """A set of photos that can be had by name.

    Attributes:
        slug: "owner/name" on Kaggle; None for what doesn't come from there.
        images: photos (pairs count once); see ``counted``.
        bytes: about what has to be downloaded; None where it isn't known beforehand.
        license: as the set's page states it; None where that could not be established.
        layout: "photos", "split", "pairs" or "arrays", see ``colorlab.sources.layouts``.
        limit: how many photos, drawn at random, are kept unless another number is asked for; None:
            all.
        shows: what it shows, and what a model that saw nothing else has never seen.
        counted: whether ``images`` is an exact number, which the archive is held against.
        unpacked: bytes on the disk, where they differ much from ``bytes``.
        file: what is downloaded, where that needs no account; see ``PublicFile``.
    """

    name: str
    title: str
    slug: str | None
    images: int
    bytes: int | None
    license: str | None
    layout: str
    limit: int | None
    shows: str
    counted: bool = True
    unpacked: int | None = None
    file: PublicFile | None = None

    @property
    def page(self) -> str | None:
        """The set's page, which states its terms; None for what comes with the course."""
        if self.file is not None:
            return self.file.page
        return None if self.slug is None else f"https://www.kaggle.com/datasets/{self.slug}"


def _imagenette(side: int, size: int, md5: str) -> Source:
    """Size and MD5 as fastai's own list has them (fastai/data/checks.txt)."""
    return Source(
        name=f"imagenette-{side}",
        title=f"Imagenette (ten classes of ImageNet), at {side} pixels",
        slug=None,
        images=13_394,
        bytes=size,
        license="each photo its owner's; ImageNet's terms: non-commercial research and education",
        layout="split",
        limit=None,
        shows="fish, dogs, churches, trucks, horns, parachutes: ten things and what is around them",
        file=PublicFile(
            url=f"https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-{side}.tgz",
            page="https://github.com/fastai/imagenette",
            bytes=size,
            md5=md5,
        ),
    )


_ALL = (
    Source(
        name="bundled",
        title="the course's own photos",
        slug=None,
        images=241,
        bytes=0,
        license="each its own, from public domain to CC BY-SA (data/photos/credits.csv)",
        layout="photos",
        limit=None,
        shows="a bit of everything; far too few to learn the colors of the world from",
    ),
    Source(
        name="landscapes",
        title="Landscape Pictures",
        slug="arnaud58/landscape-pictures",
        images=4_319,
        bytes=650_000_000,
        license=None,
        layout="photos",
        limit=None,
        shows="mountains, deserts, sea and beaches; no faces, no rooms, hardly anything man-made",
    ),
    Source(
        name="faces",
        title="Flickr-Faces-HQ, at 512 pixels",
        slug="arnaud58/flickrfaceshq-dataset-ffhq",
        images=52_000,
        bytes=20_000_000_000,
        license="CC BY-NC-SA 4.0 (the original set's; not for commercial use)",
        layout="photos",
        limit=20_000,
        shows="faces, upright and in the middle; no landscapes, no whole bodies, no things",
        counted=False,
    ),
    Source(
        name="everyday-pairs",
        title="Image Colorization Dataset",
        slug="aayush9753/image-colorization-dataset",
        images=5_739,
        bytes=None,
        license=None,
        layout="pairs",
        limit=None,
        shows="all kinds of scenes at 400 pixels, gray and color in pairs; nothing truly old",
    ),
    Source(
        name="everyday",
        title="Image Colorization (a sample of COCO)",
        slug="mariomatos/image-colorization",
        images=10_800,
        bytes=None,
        license=None,
        layout="photos",
        limit=None,
        shows="people, animals, streets, food, cut to 300 pixels; few landscapes, no fine detail",
        counted=False,
    ),
    Source(
        name="lab-arrays",
        title="Image Colorization (MIRFLICKR-25k as L and ab)",
        slug="shravankumar9892/image-colorization",
        images=25_000,
        bytes=None,
        license=None,
        layout="arrays",
        limit=None,
        shows="what Flickr's users like, as squares of 224 pixels; no detail beyond that size",
        unpacked=25_000 * 224 * 224 * 3,
    ),
    _imagenette(160, 99_003_388, "c475f8f7617a200ba35b9facc48443c3"),
    _imagenette(320, 341_663_724, "1f1f74f133caff120e575856659b87a2"),
)
SOURCES: MappingProxyType[str, Source] = MappingProxyType({source.name: source for source in _ALL})


def find(name: str) -> Source:
    """The source of that name.

    Raises:
        ValueError: another name; the message lists the valid ones.
    """
    if name not in SOURCES:
        raise ValueError(f"There is no source {name!r}. Choose from {', '.join(SOURCES)}.")
    return SOURCES[name]


def size_in_words(count: int | None) -> str:
    """Bytes as a learner reads them: "20 GB", "650 MB", "nothing", "unknown, see the page"."""
    if count is None:
        return UNKNOWN
    if count == 0:
        return "nothing"
    if count < 1e9:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e9:.0f} GB" if count >= 9.5e9 else f"{count / 1e9:.1f} GB"


def table() -> str:
    """All sources as plain text, a paragraph each."""
    paragraphs = []
    for source in SOURCES.values():
        about = "" if source.counted else "about "
        kept = f", of which {source.limit:,} at random" if source.limit else ""
        size = size_in_words(source.bytes)
        if source.bytes:
            size = f"about {size}"
        if source.unpacked:
            size += f" (unpacked {size_in_words(source.unpacked)})"
        layout = "photos in train and val" if source.layout == "split" else source.layout
        rows = {
            "photos": f"{about}{source.images:,}{kept} ({layout})",
            "download": size,
            "account": "at Kaggle, free" if source.slug else "none needed",
            "license": source.license or UNKNOWN,
            "page": source.page or "comes with the course",
            "shows": source.shows,
        }
        paragraphs.append(
            "\n".join(
                [f"{source.name}: {source.title}", *(f"  {k:<9} {v}" for k, v in rows.items())]
            )
        )
    return "\n\n".join(paragraphs)
