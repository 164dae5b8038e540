"""What several test files share.

`check` checks annotations, shapes of tensors among them, while tests run (`--jaxtyping-packages` in pyproject.toml).
"""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # a whole number is a number: `float` takes an int
