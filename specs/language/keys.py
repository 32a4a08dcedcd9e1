"""The keys of a model as they are written: some are words that Python keeps for itself (`from`, `as`)."""

from pydantic import BaseModel


def keys(model: type[BaseModel]) -> dict[str, str]:
    """Key in a spec to the attribute of the model that holds it, in the order of the model."""
    return {field.alias or name: name for name, field in model.model_fields.items()}
