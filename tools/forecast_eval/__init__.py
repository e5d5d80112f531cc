"""How good the forecasts of spending are, on public daily series: figures against the week before, with gates."""
