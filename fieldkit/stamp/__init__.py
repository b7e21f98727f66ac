"""Stamps: the pictures that the rules ask for, and their place on the page:

    place, known = for_rule(rule, pages(path), name="Nguyễn Thị Mẫu", title="TRƯỞNG CƠ QUAN THƯỜNG TRÚ")
    stamp = draw(rule, place, image=Path("signature.png"))

Drawn by Typst, since pyHanko's own text stamps space Vietnamese letters wrongly.
"""
