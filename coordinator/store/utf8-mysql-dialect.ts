// MySQL and MariaDB give a new table the character set of its database, which is still latin1 in many places: a name
// with a ship in it would be refused. So every table that a migration makes says what it needs. Binary collation, as
// SQLite and PostgreSQL's C locale have it: names differ when their letters do.
import { type CreateTableNode, MysqlDialect, MysqlQueryCompiler, type QueryCompiler } from 'kysely';

export class Utf8MysqlDialect extends MysqlDialect {
  override createQueryCompiler(): QueryCompiler {
    return new Utf8MysqlQueryCompiler();
  }
}

class Utf8MysqlQueryCompiler extends MysqlQueryCompiler {
  protected override visitCreateTable(node: CreateTableNode): void {
    super.visitCreateTable(node);
    this.append(' character set utf8mb4 collate utf8mb4_bin');
  }
}
