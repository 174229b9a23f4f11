//! A statement in the words that SQLite and PostgreSQL both know, with the values beside it.

use std::io;
use std::time::Duration;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, Arguments as _, AssertSqlSafe, FromRow};

/// Which database is asked, for the few words that differ.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// ` AND …`: these two rows are of one node's history. In a node's own file there is no other.
    pub(super) fn of_one_node(self, one: &str, other: &str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(" AND {one}.agent = {other}.agent"),
        }
    }

    /// An answer, if one comes: a file always gives one, a database may have fallen silent.
    pub(super) async fn answer<T>(
        self,
        asked: impl Future<Output = sqlx::Result<T>>,
    ) -> sqlx::Result<T> {
        match self {
            Self::Sqlite => asked.await,
            Self::Postgres => tokio::time::timeout(ANSWER, asked).await.unwrap_or_else(|_| {
                let why = format!("no answer came within {} s", ANSWER.as_secs());
                Err(io::Error::new(io::ErrorKind::TimedOut, why).into())
            }),
        }
    }
}

/// How long one question to a database may take; a test has less time to wait for one that never comes.
pub(super) const ANSWER: Duration = Duration::from_secs(if cfg!(test) { 5 } else { 60 });

/// Values are bound, never part of the text.
pub(super) struct Statement {
    text: String,
    values: AnyArguments,
    pub(super) dialect: Dialect,
}

/// What can be bound.
pub(super) enum Value {
    Text(String),
    Number(i64),
}

impl Statement {
    pub(super) fn new(dialect: Dialect, text: &str) -> Self {
        Self { text: text.to_owned(), values: AnyArguments::default(), dialect }
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// The text that this database wants here.
    pub(super) fn either(&mut self, sqlite: &str, postgres: &str) -> &mut Self {
        let text = if self.dialect == Dialect::Sqlite { sqlite } else { postgres };
        self.push(text)
    }

    pub(super) fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        let bound = match value.into() {
            Value::Text(text) => self.values.add(storable(&text)),
            Value::Number(number) => self.values.add(number),
        };
        bound.expect("texts and numbers can be bound");
        let place = format!("${}", self.values.len());
        self.push(&place)
    }

    pub(super) async fn all<T>(self, connection: &mut AnyConnection) -> sqlx::Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let query = sqlx::query_as_with(AssertSqlSafe(self.text), self.values);
        self.dialect.answer(query.fetch_all(connection)).await
    }
}

/// A text that holds U+0000, which PostgreSQL refuses, is one that no history holds; so is what stands for it.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{ffff}")
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}
