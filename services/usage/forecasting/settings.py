"""Settings of forecasting: USAGE_FORECASTS_*."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import Part


class ForecastSettings(Part):
    """The job that stores forecasts and compares them with actual spending."""

    every_s: float = Field(3600.0, gt=0)
    """Seconds from one round to the next."""
    asked_days: int = Field(30, ge=1, le=366)
    """For so many days after a user asked, each day's forecast is kept."""
    batch_max: int = Field(500, ge=1)
    """Forecasts made, and days compared, in one round at most."""
    kept_days: int = Field(400, ge=84)
    """Days after which a kept forecast is deleted."""
