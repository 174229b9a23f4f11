//! Answering a registry that wants to know who asks.

use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{Method, Response, Url};
use serde::Deserialize;

use super::auth::{Challenge, Credentials};
use super::client::{Ask, Client};
use super::error::RegistryError;

const TOKEN_MAX: u64 = 64 * 1024;

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Client {
    /// The header that a registry wants; none where there is nothing to answer.
    pub(super) async fn log_in(
        &self,
        answer: &Response,
        ask: &Ask,
    ) -> Result<Option<String>, RegistryError> {
        if answer.url().origin() != self.base.origin() {
            return Ok(None);
        }
        let challenges = answer.headers().get_all(WWW_AUTHENTICATE);
        let challenge = challenges.iter().find_map(|value| Challenge::parse(value.to_str().ok()?));
        match challenge {
            Some(Challenge::Basic) => Ok(self.credentials.as_ref().map(Credentials::basic)),
            Some(Challenge::Bearer { realm, service }) => {
                let what = "its place for tokens";
                let mut url = Url::parse(&realm)
                    .map_err(|_| self.lie(what, format!("{realm:?} is no URL")))?;
                self.may_ask(&url)?;
                let deeds = if ask.method == Method::GET { "pull" } else { "pull,push" };
                let scope = format!("repository:{}:{deeds}", self.repository);
                if let Some(service) = service {
                    url.query_pairs_mut().append_pair("service", &service);
                }
                url.query_pairs_mut().append_pair("scope", &scope);
                self.token(url).await.map(Some)
            }
            None => Ok(None),
        }
    }

    async fn token(&self, url: Url) -> Result<String, RegistryError> {
        let what = "a token for access";
        let mut request = self.http.get(url);
        if let Some(credentials) = &self.credentials {
            request = request.header(AUTHORIZATION, credentials.basic());
        }
        let answer = self.answer(request).await?;
        if !answer.status().is_success() {
            return Err(self.refusal(answer, what).await);
        }
        let text = self.body(answer, what, TOKEN_MAX).await?;
        let token: Option<Token> = serde_json::from_slice(&text).ok();
        let token = token.and_then(|token| token.token.or(token.access_token));
        let header = token.map(|token| format!("Bearer {token}"));
        let fits = |header: &String| reqwest::header::HeaderValue::from_str(header).is_ok();
        header.filter(fits).ok_or_else(|| self.lie(what, "there is none in the answer"))
    }
}
