//! The store: typed records over any backend.

mod logins;

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::key::{facts_id, facts_server};
use crate::problem::Problems;
use crate::{
    Backend, Defect, Error, Generation, Grant, GrantKey, Listing, LockGuard, MemoryBackend,
    Problem, ProblemKind, RawRecord, RecordId, RecordKind, Registration, RegistrationKey,
    ServerFacts, StoreDescription, Stored, codec,
};

/// Keeps grants, registrations, logins and facts in some [`Backend`]. A cheap handle: clones share the backend.
///
/// A save names the generation that it replaces and fails with [`Error::Conflict`] if somebody else was faster: nothing is ever
/// overwritten or removed unseen. A record that cannot be used is set aside, counts as absent and shows up in [`Store::problems`].
/// One that a newer version of the program wrote counts as absent and is reported too, but it stays where it is:
/// a save or remove fails with [`Error::NewerVersion`].
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) backend: Arc<dyn Backend>,
    /// What was found in records that the backend knows as sound bytes, and left there.
    problems: Arc<Problems>,
}

impl Store {
    /// A store over that backend.
    pub fn new(backend: impl Backend + 'static) -> Self {
        Self {
            backend: Arc::new(backend),
            problems: Arc::default(),
        }
    }

    /// A new, empty store in memory, which is gone when its last handle is.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(MemoryBackend::new())
    }

    /// A store of owner-only files in that folder, which is made with its parents when something is first saved.
    ///
    /// # Errors
    /// If `folder` is empty, or relative while there is no current folder.
    #[cfg(feature = "file")]
    pub fn file(folder: impl Into<std::path::PathBuf>) -> Result<Self, Error> {
        Ok(Self::new(crate::FileBackend::new(folder)?))
    }

    /// A store of encrypted files in that folder, which is made with its parents when something is first saved or locked.
    ///
    /// Nothing is opened yet: the first use does, and fails with [`Error::Key`] if the key or passphrase is wrong or missing. A
    /// program that wants to know earlier lists the grants. [`FileBackend::encrypted`](crate::FileBackend::encrypted) tells more.
    ///
    /// # Errors
    /// If `folder` is empty, or relative while there is no current folder.
    #[cfg(feature = "encrypted")]
    pub fn encrypted_file(
        folder: impl Into<std::path::PathBuf>,
        key: crate::KeySource,
    ) -> Result<Self, Error> {
        Ok(Self::new(crate::FileBackend::encrypted(folder, key)?))
    }

    /// What kind of store this is, for people.
    #[must_use]
    pub fn describe(&self) -> StoreDescription {
        self.backend.describe()
    }

    /// What was found and coped with since this store was opened: by the backend, then in what records mean, each oldest first.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.backend.problems();
        problems.extend(self.problems.all());
        problems
    }

    /// The grant of that key, or `None`.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    pub async fn grant(&self, key: &GrantKey) -> Result<Option<Stored<Grant>>, Error> {
        self.load(&key.record_id(), codec::decode_grant).await
    }

    /// The grant of that key as [`grant`](Self::grant) gives it, but one that a newer version of the program wrote is an error and
    /// not absent: for who would take an absent one for a sign-out, or send a person to a login that cannot be saved.
    ///
    /// Where there is none this costs an attempt to remove a version that no record ever has.
    ///
    /// # Errors
    /// [`Error::NewerVersion`]: update, then try again. Others if the store cannot be reached or trusted.
    pub async fn known_grant(&self, key: &GrantKey) -> Result<Option<Stored<Grant>>, Error> {
        if let Some(stored) = self.grant(key).await? {
            return Ok(Some(stored));
        }
        match self.remove_grant(key, Generation::new(0)).await {
            Ok(()) | Err(Error::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Saves a grant over the generation `expected` (`None`: where there is none), durably, and returns its new generation.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another generation is stored: load it and decide anew. Others if the store cannot be reached or trusted.
    pub async fn save_grant(
        &self,
        key: &GrantKey,
        grant: &Grant,
        expected: Option<Generation>,
    ) -> Result<Generation, Error> {
        let encoded = codec::encode_grant(grant);
        self.save(&key.record_id(), encoded, expected, codec::decode_grant)
            .await
    }

    /// Removes the grant if its generation is `expected`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not, or there is none. Others if the store cannot be reached or trusted.
    pub async fn remove_grant(&self, key: &GrantKey, expected: Generation) -> Result<(), Error> {
        self.remove(&key.record_id(), expected, codec::decode_grant)
            .await
    }

    /// All grants, ordered by key, and the problems that were met.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted. One bad record does not hide the others: it is a problem of the listing.
    pub async fn grants(&self) -> Result<Listing<(GrantKey, Stored<Grant>)>, Error> {
        self.list(
            RecordKind::Grant,
            GrantKey::from_record_id,
            codec::decode_grant,
        )
        .await
    }

    /// Waits at most `limit` for the lock of a grant, which need not exist.
    ///
    /// # Errors
    /// [`Error::LockTimeout`]. Others if the store cannot be reached or trusted.
    pub async fn lock_grant(&self, key: &GrantKey, limit: Duration) -> Result<LockGuard, Error> {
        self.backend.lock(&key.record_id(), limit).await
    }

    /// Deletes what was ever set aside of that grant, and returns how many copies there were: a logout leaves no secret behind.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    pub async fn discard_set_aside_grants(&self, key: &GrantKey) -> Result<usize, Error> {
        self.backend.discard_set_aside(&key.record_id()).await
    }

    /// The registration of that key, or `None`.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    pub async fn registration(
        &self,
        key: &RegistrationKey,
    ) -> Result<Option<Stored<Registration>>, Error> {
        self.load(&key.record_id(), codec::decode_registration)
            .await
    }

    /// Saves a registration over the generation `expected` (`None`: where there is none), durably, and returns its new generation.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another generation is stored: load it and decide anew. Others if the store cannot be reached or trusted.
    pub async fn save_registration(
        &self,
        key: &RegistrationKey,
        registration: &Registration,
        expected: Option<Generation>,
    ) -> Result<Generation, Error> {
        self.save(
            &key.record_id(),
            codec::encode_registration(registration),
            expected,
            codec::decode_registration,
        )
        .await
    }

    /// Removes the registration if its generation is `expected`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not, or there is none. Others if the store cannot be reached or trusted.
    pub async fn remove_registration(
        &self,
        key: &RegistrationKey,
        expected: Generation,
    ) -> Result<(), Error> {
        self.remove(&key.record_id(), expected, codec::decode_registration)
            .await
    }

    /// All registrations, ordered by key, and the problems that were met.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted. One bad record does not hide the others: it is a problem of the listing.
    pub async fn registrations(
        &self,
    ) -> Result<Listing<(RegistrationKey, Stored<Registration>)>, Error> {
        self.list(
            RecordKind::Registration,
            RegistrationKey::from_record_id,
            codec::decode_registration,
        )
        .await
    }

    /// Waits at most `limit` for the lock of a registration, which need not exist.
    ///
    /// # Errors
    /// [`Error::LockTimeout`]. Others if the store cannot be reached or trusted.
    pub async fn lock_registration(
        &self,
        key: &RegistrationKey,
        limit: Duration,
    ) -> Result<LockGuard, Error> {
        self.backend.lock(&key.record_id(), limit).await
    }

    /// Deletes what was ever set aside of that registration, and returns how many copies there were.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    pub async fn discard_set_aside_registrations(
        &self,
        key: &RegistrationKey,
    ) -> Result<usize, Error> {
        self.backend.discard_set_aside(&key.record_id()).await
    }

    /// What is remembered of the server of that URL (as configured), or `None`.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    pub async fn facts(&self, server: &str) -> Result<Option<Stored<ServerFacts>>, Error> {
        self.load(&facts_id(server), codec::decode_facts).await
    }

    /// What is remembered of every server, by its URL, read at once: asking for each of many takes a multiple of the time.
    ///
    /// # Errors
    /// If the store as a whole cannot be reached or trusted; a record that cannot be used is among the problems.
    pub async fn all_facts(&self) -> Result<Listing<(String, Stored<ServerFacts>)>, Error> {
        self.list(RecordKind::Facts, facts_server, codec::decode_facts)
            .await
    }

    /// Saves what is to be remembered of a server over the generation `expected` (`None`: where there is nothing).
    ///
    /// # Errors
    /// [`Error::Conflict`] if another generation is stored. Others if the store cannot be reached or trusted.
    pub async fn save_facts(
        &self,
        server: &str,
        facts: &ServerFacts,
        expected: Option<Generation>,
    ) -> Result<Generation, Error> {
        let encoded = codec::encode_facts(facts);
        self.save(&facts_id(server), encoded, expected, codec::decode_facts)
            .await
    }

    /// Forgets what is remembered of a server if its generation is `expected`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not, or there is nothing. Others if the store cannot be reached or trusted.
    pub async fn remove_facts(&self, server: &str, expected: Generation) -> Result<(), Error> {
        self.remove(&facts_id(server), expected, codec::decode_facts)
            .await
    }

    async fn load<T>(&self, id: &RecordId, decode: Decode<T>) -> Result<Option<Stored<T>>, Error> {
        self.read(id, decode).await.map(Result::ok)
    }

    /// The inner error is a record that counts as absent, with the problem if it is still there.
    async fn read<T>(
        &self,
        id: &RecordId,
        decode: Decode<T>,
    ) -> Result<Result<Stored<T>, Option<Problem>>, Error> {
        for _ in 0..SET_ASIDE_ATTEMPTS {
            let Some(RawRecord { bytes, generation }) = self.backend.load(id).await? else {
                return Ok(Err(None));
            };
            let defect = match decode(&bytes) {
                Ok(value) => return Ok(Ok(Stored::new(value, generation))),
                Err(defect) if defect.is_newer() => {
                    return Ok(Err(Some(self.leave_alone(id, defect))));
                }
                Err(defect) => defect,
            };
            match self.backend.set_aside(id, generation, defect).await {
                // Somebody saved meanwhile: what they wrote may be sound, so look again.
                Err(Error::Conflict { .. } | Error::NewerVersion { .. }) => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(Err(None)),
            }
        }
        Err(Error::InTheWay { id: id.clone() })
    }

    fn leave_alone(&self, id: &RecordId, defect: Defect) -> Problem {
        let kind = ProblemKind::LeftAlone { defect };
        let problem = Problem::new(id.to_string(), Some(id.clone()), kind);
        self.problems.report(problem.clone());
        problem
    }

    async fn save<T>(
        &self,
        id: &RecordId,
        encoded: Result<Zeroizing<Vec<u8>>, serde_json::Error>,
        expected: Option<Generation>,
        decode: Decode<T>,
    ) -> Result<Generation, Error> {
        let bytes = encoded.map_err(|source| Error::Encode {
            id: id.clone(),
            source,
        })?;
        match self.backend.save(id, bytes, expected).await {
            Err(conflict @ Error::Conflict { .. }) => {
                Err(self.cause_of(conflict, id, decode).await)
            }
            result => result,
        }
    }

    async fn remove<T>(
        &self,
        id: &RecordId,
        expected: Generation,
        decode: Decode<T>,
    ) -> Result<(), Error> {
        match self.backend.remove(id, expected).await {
            Err(conflict @ Error::Conflict { .. }) => {
                Err(self.cause_of(conflict, id, decode).await)
            }
            result => result,
        }
    }

    /// A conflict with a record of a newer version is no reason to load it again. Nobody gets to see the generation of such
    /// a record, so that every attempt to replace one is a conflict.
    async fn cause_of<T>(&self, conflict: Error, id: &RecordId, decode: Decode<T>) -> Error {
        let Ok(Some(record)) = self.backend.load(id).await else {
            return conflict;
        };
        let newer = decode(&record.bytes)
            .err()
            .and_then(|defect| defect.refusal(id));
        newer.unwrap_or(conflict)
    }

    async fn list<K, T>(
        &self,
        kind: RecordKind,
        key: fn(&RecordId) -> Option<K>,
        decode: Decode<T>,
    ) -> Result<Listing<(K, Stored<T>)>, Error> {
        let noted = self.backend.problems().len();
        let Listing {
            entries: mut records,
            mut problems,
        } = self.backend.load_all(kind).await?;
        records.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut entries = Vec::with_capacity(records.len());
        for (id, record) in records {
            // A record whose key has another shape was made by a newer version: nobody here can ask for it.
            let Some(key) = key(&id) else { continue };
            if let Ok(value) = decode(&record.bytes) {
                entries.push((key, Stored::new(value, record.generation)));
                continue;
            }
            // Looked at once more: what cannot be used is set aside.
            match self.read(&id, decode).await {
                Ok(Ok(stored)) => entries.push((key, stored)),
                Ok(Err(problem)) => problems.extend(problem),
                Err(error) => problems.push(Problem::of_record(&id, error)?),
            }
        }
        for problem in self.backend.problems().into_iter().skip(noted) {
            let of_kind = problem.id.as_ref().is_none_or(|id| id.kind() == kind);
            if of_kind && !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        Ok(Listing::new(entries, problems))
    }
}

type Decode<T> = fn(&[u8]) -> Result<T, Defect>;

/// How often a record is looked at again that somebody else keeps changing into another unusable one.
const SET_ASIDE_ATTEMPTS: usize = 3;
