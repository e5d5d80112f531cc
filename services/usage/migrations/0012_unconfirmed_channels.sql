-- A Telegram chat is written to once its holder has told the code that was sent there: nobody has others written to.

ALTER TABLE usage.notification_channels
    DROP CONSTRAINT notification_channels_disabled_check,
    ADD CONSTRAINT notification_channels_disabled_check
        CHECK (disabled IN ('', 'owner', 'failing', 'gone', 'unsubscribed', 'unconfirmed'));
