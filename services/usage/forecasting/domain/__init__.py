"""The forecasts themselves: functions of days and micro-roubles. No I/O, no clock, no library."""
