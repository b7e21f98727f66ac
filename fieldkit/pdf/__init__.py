"""PDF documents as files: read whole and unchanged, written aside and renamed, drawn by three engines:

    with written(Path("out.pdf")) as out, opened(Path("in.pdf")) as source:
        ...
    picture = raster.page(path, 0, 800, 1100)

What the PDF libraries raise becomes words in `boundary`. Nothing here knows what a signature means.
"""
