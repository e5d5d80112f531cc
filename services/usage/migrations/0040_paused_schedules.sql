-- Schedules that rest: they are kept with all they say, and nothing comes of them until their owner goes on.
ALTER TABLE usage.report_schedules ADD COLUMN paused boolean NOT NULL DEFAULT false;
