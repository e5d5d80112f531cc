"""Texts of mails, in Russian and English. They contain nothing that a stranger typed."""

from __future__ import annotations

from typing import Final

from servicekit.mail.smtp import WrittenMail
from services.auth.accounts.domain.mail import Template

# Subject and text. {link}: with the token; {login}, {reset}: pages of this gateway.
TEXTS: Final[dict[tuple[Template, str], tuple[str, str]]] = {
    (Template.REGISTER, "ru"): (
        "Подтвердите адрес",
        "Кто-то, вероятно вы, регистрируется в Развилке с этим адресом.\n\n"
        "Чтобы завершить регистрацию, откройте ссылку в течение суток:\n{link}\n\n"
        "Если это были не вы, ничего не делайте и не открывайте ссылку: учётная запись не появится.\n",
    ),
    (Template.REGISTER, "en"): (
        "Confirm your address",
        "Somebody, probably you, is registering with Razvilka under this address.\n\n"
        "To finish, open this link within a day:\n{link}\n\n"
        "If it was not you, do nothing and leave the link alone: no account will be made.\n",
    ),
    (Template.ALREADY_REGISTERED, "ru"): (
        "У вас уже есть учётная запись",
        "Кто-то, вероятно вы, указал этот адрес в Развилке, но учётная запись с ним уже есть.\n\n"
        "Войти: {login}\nЗадать новый пароль: {reset}\n\n"
        "Если это были не вы, ничего не делайте: в вашей учётной записи ничего не изменилось.\n",
    ),
    (Template.ALREADY_REGISTERED, "en"): (
        "You already have an account",
        "Somebody, probably you, entered this address at Razvilka, but it already has an account.\n\n"
        "Log in: {login}\nSet a new password: {reset}\n\n"
        "If it was not you, do nothing: nothing has changed in your account.\n",
    ),
    (Template.RESET, "ru"): (
        "Новый пароль",
        "Кто-то, вероятно вы, просит задать новый пароль для вашей учётной записи в Развилке.\n\n"
        "Ссылка действует 30 минут и только один раз:\n{link}\n\n"
        "Если это были не вы, ничего не делайте: пароль останется прежним.\n",
    ),
    (Template.RESET, "en"): (
        "Set a new password",
        "Somebody, probably you, asked to set a new password for your Razvilka account.\n\n"
        "The link works for 30 minutes and only once:\n{link}\n\n"
        "If it was not you, do nothing: the password stays as it is.\n",
    ),
    (Template.CLAIM, "ru"): (
        "Задайте пароль: Развилка перешла на версию 1.1",
        "У вас есть учётная запись в Развилке с этим адресом: она перенесена из версии 1.0. Ключи API работают как "
        "прежде, менять ничего не нужно. Пароля у учётной записи ещё нет.\n\n"
        "Чтобы войти, увидеть ключи и расход, задайте пароль. Ссылка действует 7 дней и только один раз:\n{link}\n\n"
        "Позже ссылку можно запросить снова: {reset}\n\n"
        "Если учётная запись вам не нужна, ничего не делайте.\n",
    ),
    (Template.CLAIM, "en"): (
        "Set a password: Razvilka has moved to release 1.1",
        "You have a Razvilka account under this address: it was moved from release 1.0. Your API keys work as before; "
        "there is nothing to change. The account has no password yet.\n\n"
        "To log in and see your keys and what you spent, set one. The link works for 7 days and only once:\n{link}\n\n"
        "Later you can ask for another link: {reset}\n\n"
        "If you do not need the account, do nothing.\n",
    ),
    (Template.EMAIL_CHANGE, "ru"): (
        "Подтвердите новый адрес",
        "Для учётной записи в Развилке указан этот адрес.\n\n"
        "Чтобы подтвердить его, откройте ссылку в течение суток:\n{link}\n\n"
        "Если это были не вы, ничего не делайте.\n",
    ),
    (Template.EMAIL_CHANGE, "en"): (
        "Confirm your new address",
        "This address was entered for a Razvilka account.\n\n"
        "To confirm it, open this link within a day:\n{link}\n\n"
        "If it was not you, do nothing.\n",
    ),
    (Template.EMAIL_CHANGED, "ru"): (
        "Адрес учётной записи меняется",
        "Для вашей учётной записи в Развилке указан другой адрес. Он заменит этот, когда будет подтверждён.\n\n"
        "Если это были не вы, сразу задайте новый пароль: {reset}\n",
    ),
    (Template.EMAIL_CHANGED, "en"): (
        "The address of your account is changing",
        "Another address was entered for your Razvilka account. It replaces this one when it is confirmed.\n\n"
        "If it was not you, set a new password at once: {reset}\n",
    ),
    (Template.PASSWORD_CHANGED, "ru"): (
        "Пароль изменён",
        "Пароль вашей учётной записи в Развилке изменён, остальные сеансы завершены.\n\n"
        "Если это были не вы, сразу задайте новый пароль: {reset}\n",
    ),
    (Template.PASSWORD_CHANGED, "en"): (
        "Your password was changed",
        "The password of your Razvilka account was changed, and other sessions were ended.\n\n"
        "If it was not you, set a new password at once: {reset}\n",
    ),
    (Template.TOTP_ENABLED, "ru"): (
        "Второй фактор включён",
        "Для входа в вашу учётную запись в Развилке теперь нужен код из приложения.\n\n"
        "Если это были не вы, сразу задайте новый пароль: {reset}\n",
    ),
    (Template.TOTP_ENABLED, "en"): (
        "Second factor switched on",
        "Logging in to your Razvilka account now needs a code from an application.\n\n"
        "If it was not you, set a new password at once: {reset}\n",
    ),
    (Template.TOTP_DISABLED, "ru"): (
        "Второй фактор выключен",
        "Для входа в вашу учётную запись в Развилке больше не нужен код из приложения.\n\n"
        "Если это были не вы, сразу задайте новый пароль: {reset}\n",
    ),
    (Template.TOTP_DISABLED, "en"): (
        "Second factor switched off",
        "Logging in to your Razvilka account no longer needs a code from an application.\n\n"
        "If it was not you, set a new password at once: {reset}\n",
    ),
    (Template.DELETED, "ru"): (
        "Учётная запись удалена",
        "Ваша учётная запись в Развилке удалена вместе с ключами, сеансами и доступом приложений.\n",
    ),
    (Template.DELETED, "en"): (
        "Your account was deleted",
        "Your Razvilka account was deleted with its keys, its sessions and the access of applications.\n",
    ),
}

SETS_PASSWORD: Final = (Template.RESET, Template.CLAIM)


class TemplateWriter:
    """Fills templates with links to the gateway's pages."""

    def __init__(self, public_url: str) -> None:
        self._url = public_url.rstrip("/")

    def write(self, template: Template, language: str, email: str, token: str = "") -> WrittenMail:
        """Return the mail; the token is in its link."""
        subject, text = TEXTS[template, language]
        page = "reset-password" if template in SETS_PASSWORD else "verify-email"
        links = {
            "link": f"{self._url}/{page}?token={token}",
            "login": f"{self._url}/login",
            "reset": f"{self._url}/forgot-password",
        }
        return WrittenMail(email, subject, text.format(**links))
