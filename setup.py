"""pyproject.toml says all but this: the folder data is installed as cogkit/data, so that a wheel holds the model."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["cogkit*"]), "cogkit.data"],
    package_dir={"cogkit.data": "data"},
)
