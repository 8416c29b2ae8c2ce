// SQLite as WebAssembly.
const assert = require('assert');
require('sql.js')().then((SQL) => {
  const db = new SQL.Database();
  db.run('create table t (n integer, name text); insert into t values (1, "one"), (2, "two");');
  assert.deepStrictEqual(db.exec('select sum(n), group_concat(name) from t')[0].values, [[3, 'one,two']]);
  assert.throws(() => db.run('select * from absent'), /no such table/);
  const again = new SQL.Database(db.export());
  assert.deepStrictEqual(again.exec('select name from t where n = 2')[0].values, [['two']]);
  console.log('ok');
});
