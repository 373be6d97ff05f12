"""The words of scenes: grounds, hues, short names, what can be worn, and who can wear it."""

GROUNDS = {
    "white": (255, 255, 255),
    "black": (20, 20, 24),
    "red": (226, 60, 60),
    "orange": (250, 150, 50),
    "yellow": (252, 212, 80),
    "green": (92, 178, 92),
    "blue": (74, 134, 226),
    "pale blue": (190, 220, 248),
    "purple": (146, 96, 200),
    "pink": (248, 176, 204),
    "grey": (150, 154, 160),
    "brown": (140, 98, 66),
}
HUES = {
    "red": 0.0,
    "orange": 0.08,
    "yellow": 0.15,
    "green": 0.35,
    "blue": 0.6,
    "purple": 0.77,
    "pink": 0.9,
}
SHORT_NAMES = {
    "ear of corn": "corn",
    "T-Rex": "dinosaur",
    "billed cap": "cap",
    "rescue worker’s helmet": "helmet",
}
HATS = (
    "crown",
    "top hat",
    "woman’s hat",
    "graduation cap",
    "billed cap",
    "rescue worker’s helmet",
    "military helmet",
)
EYEWEAR = ("glasses", "sunglasses", "goggles")
# Heads drawn from the front in all four sets: they fit a helmet, and hats and glasses fit them.
HEADS = (
    "cat face",
    "dog face",
    "monkey face",
    "wolf",
    "fox",
    "lion",
    "tiger face",
    "cow face",
    "pig face",
    "hamster",
    "rabbit face",
    "bear",
    "koala",
    "panda",
    "frog",
    "unicorn",
    "chicken",
)
CONTAINERS = ("basket", "bucket", "wrapped gift", "pot of food", "takeout box", "wastebasket")
HOLDERS = (
    "teddy bear",
    "robot",
    "snowman",
    "panda",
    "gorilla",
    "penguin",
    "monkey",
    "ghost",
    "alien",
    "bear",
    "koala",
    "octopus",
)
HELD = (
    "red apple",
    "balloon",
    "guitar",
    "key",
    "trophy",
    "umbrella",
    "ice cream",
    "rose",
    "carrot",
    "camera",
    "lemon",
    "doughnut",
)


def short_name(name: str) -> str:
    """What people type: "cat" for "cat face"; the faces of people keep their names."""
    if name in SHORT_NAMES:
        return SHORT_NAMES[name]
    return name.removesuffix(" face") if name in HEADS or name == "dragon face" else name
